# For trying things out: everything can be deleted.
environment    = "development"
is_protected   = false
warm_instances = 0
log_level      = "DEBUG"
