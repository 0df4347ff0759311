# As production, without what costs money while nobody uses it.
environment       = "staging"
is_protected      = true
warm_instances    = 0
audit_in_bigquery = true
