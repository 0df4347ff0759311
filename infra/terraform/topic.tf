locals {
  # Pub/Sub's own account, which writes to BigQuery and to the dead letters. Google makes it some time after the API is
  # switched on. Where it is missing still, the grants to it fail, and
  #   gcloud beta services identity create --service=pubsub.googleapis.com
  # makes it.
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

# Generated from the models by `python -m infra.contracts.audit_schema`. Pub/Sub refuses to publish what does not fit.
resource "google_pubsub_schema" "audit" {
  name       = "seatlease-audit-event"
  type       = "PROTOCOL_BUFFER"
  definition = file("${path.module}/../contracts/audit-event.proto")

  depends_on = [google_project_service.api]
}

resource "google_pubsub_topic" "audit" {
  name = "seatlease-audit"

  # A subscription made later, or set back, gets what was published in the last week.
  message_retention_duration = "604800s"

  # The events name people: they are stored in this region only. Enforcing it in transit too would refuse subscribers
  # that run elsewhere.
  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  schema_settings {
    schema   = google_pubsub_schema.audit.id
    encoding = "JSON"
  }
}

# Where a subscription puts what its subscriber refuses time and again, so that nothing is lost and nothing goes round.
# Subscriptions of your own can name it too.
resource "google_pubsub_topic" "dead_letters" {
  name = "seatlease-audit-dead-letters"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.api]
}

resource "google_pubsub_subscription" "dead_letters" {
  name  = "seatlease-audit-dead-letters"
  topic = google_pubsub_topic.dead_letters.name

  # The longest there is: somebody has to look at them by hand.
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "dead_letters" {
  topic  = google_pubsub_topic.dead_letters.name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}
