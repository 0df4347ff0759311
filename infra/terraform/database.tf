# The Firestore database.

locals {
  database_location = coalesce(var.database_location, var.region)
}

resource "google_firestore_database" "seats" {
  name        = var.database
  location_id = local.database_location
  type        = "FIRESTORE_NATIVE"

  # The Standard edition is priced by the document. The other edition is priced by the size of what
  # is read and by each index entry that is written. An acquire writes small documents with many
  # entries.
  database_edition = "STANDARD"

  # Seven days of versions, one for each minute. They bring back what was deleted by hand.
  point_in_time_recovery_enablement = var.is_protected ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"

  # Two locks. With the first, the API refuses to delete the database. With the second, Terraform
  # forgets the database instead of deleting it.
  delete_protection_state = var.is_protected ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy         = var.is_protected ? "ABANDON" : "DELETE"

  depends_on = [google_project_service.api]
}

# Versions are gone after seven days, and with the database. Backups outlive it.
resource "google_firestore_backup_schedule" "daily" {
  for_each = toset(var.is_protected ? ["daily"] : [])

  database  = google_firestore_database.seats.name
  retention = "${var.keep_backups_days * 24 * 60 * 60}s"

  daily_recurrence {}

  lifecycle {
    replace_triggered_by = [google_firestore_database.seats.uid]
  }
}
