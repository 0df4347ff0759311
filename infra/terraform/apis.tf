# What an empty project has to switch on. Everything else here waits for it. Right after it was switched on for the
# first time an API may still refuse for a minute: then apply again.

resource "google_project_service" "api" {
  for_each = toset([
    "artifactregistry",
    "bigquery",
    "cloudbuild",
    "cloudfunctions",
    "cloudresourcemanager",
    "cloudscheduler",
    "eventarc",
    "firebase",
    "firebasehosting",
    "firebaserules",
    "firestore",
    "iam",
    "identitytoolkit",
    "logging",
    "monitoring",
    "pubsub",
    "run",
    "secretmanager",
    "storage",
  ])

  service = "${each.key}.googleapis.com"
  # Somebody else in the project may use it.
  disable_on_destroy = false
}
