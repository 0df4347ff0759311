# Firestore's security rules: they refuse everything to every program with a user's token.
# tests/infra/test_firestore_rules.py compiles the file on the emulator and tries it.
#
# Rules belong to one database. With a database of our own (the variable database), the rules of the
# default database are not touched: its apps go on as before.

resource "google_firebaserules_ruleset" "firestore" {
  source {
    files {
      name    = "firestore.rules"
      content = file("${path.module}/../firestore.rules")
    }
  }

  # A ruleset cannot be changed, so changed rules are a new one. The provider cannot move the release
  # to it: it deletes the release and makes it again. For some seconds, or until the next apply if
  # making it fails, Firestore then denies what clients read directly. Functions do not pass rules.
  # `firebase deploy --only firestore:rules` moves a release without this gap.
  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_project_service.api]
}

# If this database has released rules already, creating this one fails: it exists. Rules of another
# app would be replaced, so do not import them. Choose a database of our own instead:
# infra/docs/deploy.md#an-existing-firebase-project.
resource "google_firebaserules_release" "firestore" {
  name         = var.database == "(default)" ? "cloud.firestore" : "cloud.firestore/${var.database}"
  ruleset_name = google_firebaserules_ruleset.firestore.name

  depends_on = [google_firestore_database.seats]
}
