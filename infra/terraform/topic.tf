# The audit topic with its schema, and the dead letters.

locals {
  # Pub/Sub's own account, which writes to BigQuery and to the dead letters. While it is missing, the
  # grants to it fail. infra/docs/deploy.md creates it before the first apply:
  #   gcloud beta services identity create --service=pubsub.googleapis.com
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

# `python -m infra.contracts.audit_schema` writes the file from the models. Pub/Sub refuses other messages.
resource "google_pubsub_schema" "audit" {
  name       = "seatlease-audit-event"
  type       = "PROTOCOL_BUFFER"
  definition = file("${path.module}/../contracts/audit-event.proto")

  depends_on = [google_project_service.api]
}

resource "google_pubsub_topic" "audit" {
  name = "seatlease-audit"

  # A new subscription, or one that is set back, can get the messages of the last week.
  message_retention_duration = "604800s"

  # The events name people, so they are stored in this region only. This is not enforced in transit:
  # that would refuse subscribers in other regions.
  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  schema_settings {
    schema   = google_pubsub_schema.audit.id
    encoding = "JSON"
  }
}

# The dead letters: messages that a subscription could not deliver after several attempts. So no
# message is lost, and none is retried without end. Your own subscriptions may use this topic too.
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

  # The longest time that Pub/Sub allows, because a person has to look at these messages.
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
