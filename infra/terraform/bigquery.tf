# The audit trail in BigQuery, if audit_in_bigquery is true. Pub/Sub itself writes each message into
# a row, at least once.

locals {
  bigquery = toset(var.audit_in_bigquery ? ["audit"] : [])

  # The columns that Pub/Sub adds with write_metadata. Source: its page on BigQuery subscriptions.
  metadata_columns = [
    { name = "subscription_name", type = "STRING", mode = "NULLABLE" },
    { name = "message_id", type = "STRING", mode = "NULLABLE" },
    { name = "publish_time", type = "TIMESTAMP", mode = "NULLABLE" },
    { name = "attributes", type = "JSON", mode = "NULLABLE" },
  ]
}

resource "google_bigquery_dataset" "audit" {
  for_each = local.bigquery

  dataset_id                 = "seatlease_audit"
  description                = "The audit trail of Seatlease: seats that users held, and acquires that were denied."
  location                   = var.region
  delete_contents_on_destroy = !var.is_protected

  depends_on = [google_project_service.api]
}

resource "google_bigquery_table" "messages" {
  for_each = local.bigquery

  dataset_id          = google_bigquery_dataset.audit[each.key].dataset_id
  table_id            = "messages"
  description         = "One row for each message. An event may be in several rows: query the table function events."
  deletion_protection = var.is_protected

  # `python -m infra.contracts.audit_table` writes the file from audit-event.proto, the topic's schema.
  schema = jsonencode(concat(local.metadata_columns, jsondecode(file("${path.module}/../contracts/audit-event.bigquery.json"))))

  # Queries ask about days, and are billed by the days that they read.
  time_partitioning {
    type  = "DAY"
    field = "publish_time"

    # The rows name people. Null keeps them for ever.
    expiration_ms = var.keep_audit_table_days == null ? null : var.keep_audit_table_days * 24 * 60 * 60 * 1000
  }
}

# A view would read all days: it cannot push a filter below the window that finds duplicates. So this
# is a function, which filters first. SELECT * FROM seatlease_audit.events('2026-03-01', '2026-03-31')
resource "google_bigquery_routine" "events" {
  for_each = local.bigquery

  dataset_id   = google_bigquery_dataset.audit[each.key].dataset_id
  routine_id   = "events"
  routine_type = "TABLE_VALUED_FUNCTION"
  language     = "SQL"
  description  = "The audit events that were published from first_day to last_day (UTC), each once, even if it was delivered twice."

  dynamic "arguments" {
    for_each = ["first_day", "last_day"]
    content {
      name      = arguments.value
      data_type = jsonencode({ typeKind = "DATE" })
    }
  }

  definition_body = <<-SQL
    SELECT * EXCEPT (subscription_name, message_id, attributes)
    FROM `${var.project_id}.${google_bigquery_dataset.audit[each.key].dataset_id}.${google_bigquery_table.messages[each.key].table_id}`
    WHERE publish_time >= TIMESTAMP(first_day) AND publish_time < TIMESTAMP(DATE_ADD(last_day, INTERVAL 1 DAY))
    QUALIFY ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY publish_time) = 1
  SQL
}

resource "google_bigquery_table_iam_member" "pubsub" {
  for_each = var.audit_in_bigquery ? toset(["roles/bigquery.dataEditor", "roles/bigquery.metadataViewer"]) : toset([])

  dataset_id = google_bigquery_dataset.audit["audit"].dataset_id
  table_id   = google_bigquery_table.messages["audit"].table_id
  role       = each.key
  member     = local.pubsub_agent
}

resource "google_pubsub_subscription" "bigquery" {
  for_each = local.bigquery

  name  = "seatlease-audit-bigquery"
  topic = google_pubsub_topic.audit.name

  bigquery_config {
    table            = "${var.project_id}.${google_bigquery_dataset.audit[each.key].dataset_id}.${google_bigquery_table.messages[each.key].table_id}"
    use_topic_schema = true
    write_metadata   = true
    # A newer function may send a field before the table has its column. That field is left out, and
    # the message is not held up.
    drop_unknown_fields = true
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = 10
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # The subscription never expires, even if nothing is published for a month.
  expiration_policy {
    ttl = ""
  }

  depends_on = [google_bigquery_table_iam_member.pubsub]
}

resource "google_pubsub_subscription_iam_member" "bigquery" {
  for_each = local.bigquery

  # Pub/Sub takes a message off the subscription when it moves it to the dead letters.
  subscription = google_pubsub_subscription.bigquery[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
