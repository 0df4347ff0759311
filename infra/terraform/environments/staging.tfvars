# Like production, but without the instances that cost money while idle.
environment       = "staging"
is_protected      = true
warm_instances    = 0
audit_in_bigquery = true
