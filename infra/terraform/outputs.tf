output "urls" {
  description = "Where clients call each function directly. Through Firebase Hosting all of them are under one domain: infra/firebase.json."
  value       = { for name in local.for_clients : name => google_cloudfunctions2_function.function[name].service_config[0].uri }
}

output "functions" {
  description = "What each function is called in the project."
  value       = local.functions_by_name
}

output "archives" {
  description = "What each function was deployed from; `make stage` of the same commit names the same."
  value       = local.archives
}

output "database" {
  description = "The Firestore database."
  value       = google_firestore_database.seats.name
}

output "topic" {
  description = "The audit topic, for subscriptions of your own."
  value       = google_pubsub_topic.audit.id
}

output "dead_letter_topic" {
  description = "Where a subscription of your own may put what its subscriber refuses."
  value       = google_pubsub_topic.dead_letters.id
}

output "audit_view" {
  description = "The audit trail in BigQuery, each event once; null without audit_in_bigquery."
  value       = var.audit_in_bigquery ? "${var.project_id}.${google_bigquery_dataset.audit["audit"].dataset_id}.${google_bigquery_table.events["audit"].table_id}" : null
}

output "dashboard" {
  description = "The dashboard's name in Cloud Monitoring."
  value       = google_monitoring_dashboard.seats.id
}
