# Who edited a document by hand, and who read the signing keys. The audit trail knows neither: an
# event of Firestore does not say who wrote. Google's Data Access audit logs say it, and are off
# unless switched on. They are kept for 30 days, Cloud Logging's default.
#
# Each of these replaces what the project had for its service. `make preflight` names what would be
# lost: add it to the block of its service.

resource "google_project_iam_audit_config" "database" {
  project = var.project_id
  # Firestore is configured under this name. Its log lines name firestore.googleapis.com. Source:
  # Firestore's page on audit logs.
  service = "datastore.googleapis.com"

  audit_log_config {
    log_type = "DATA_WRITE"
    # The functions write with every acquire and heartbeat. What they do is in the audit trail.
    exempted_members = [for name in local.store_users : "serviceAccount:${local.account_emails[name]}"]
  }
}

resource "google_project_iam_audit_config" "signing_keys" {
  project = var.project_id
  service = "secretmanager.googleapis.com"

  audit_log_config {
    # An instance of acquire or heartbeat that starts reads the secret, and is logged too.
    log_type = "DATA_READ"
  }

  depends_on = [google_project_service.api]
}
