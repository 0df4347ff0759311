# To try things and throw them away.
environment    = "development"
is_protected   = false
warm_instances = 0
log_level      = "DEBUG"
