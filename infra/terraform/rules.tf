# What programs with a user's token may read straight from Firestore. The file is compiled and tried out, rule by rule,
# on the emulator by tests/infra/test_firestore_rules.py.

resource "google_firebaserules_ruleset" "firestore" {
  source {
    files {
      name    = "firestore.rules"
      content = file("${path.module}/../firestore.rules")
    }
  }

  # A ruleset cannot be changed; the release below moves to the new one before the old one goes.
  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_project_service.api]
}

# Where Firebase has released rules of its own already, this one is refused as existing, and is taken over with
#   terraform import google_firebaserules_release.firestore projects/PROJECT/releases/cloud.firestore
resource "google_firebaserules_release" "firestore" {
  name         = var.database == "(default)" ? "cloud.firestore" : "cloud.firestore/${var.database}"
  ruleset_name = google_firebaserules_ruleset.firestore.name

  depends_on = [google_firestore_database.seats]
}
