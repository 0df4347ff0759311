# For customers: protected, and with instances that wait for work.
environment       = "production"
is_protected      = true
warm_instances    = 1
audit_in_bigquery = true
