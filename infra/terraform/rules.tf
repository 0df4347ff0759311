# Firestore's security rules: what a program with a user's token may read straight from Firestore.
# tests/infra/test_firestore_rules.py compiles the file on the emulator and tries every rule.

resource "google_firebaserules_ruleset" "firestore" {
  source {
    files {
      name    = "firestore.rules"
      content = file("${path.module}/../firestore.rules")
    }
  }

  # A ruleset cannot be changed. The release below moves to a new one before the old one goes.
  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_project_service.api]
}

# If Firebase has released rules of its own already, creating this one fails: it exists. To take it
# over:
#   terraform import google_firebaserules_release.firestore projects/PROJECT/releases/cloud.firestore
resource "google_firebaserules_release" "firestore" {
  name         = var.database == "(default)" ? "cloud.firestore" : "cloud.firestore/${var.database}"
  ruleset_name = google_firebaserules_ruleset.firestore.name

  depends_on = [google_firestore_database.seats]
}
