# The APIs that an empty project has to switch on. Everything else in these files waits for them. An
# API may still refuse requests in its first minute. Then apply again.

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
    "iamcredentials",
    "identitytoolkit",
    "logging",
    "monitoring",
    "pubsub",
    "run",
    "secretmanager",
    "storage",
  ])

  service = "${each.key}.googleapis.com"
  # Something else in the project may use it too.
  disable_on_destroy = false
}
