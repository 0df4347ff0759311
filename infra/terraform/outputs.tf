# What `terraform output` prints after an apply.

output "urls" {
  description = "The address at which clients call each function directly. Firebase Hosting puts all of them under one domain: infra/firebase.json."
  value       = { for name in local.for_clients : name => google_cloudfunctions2_function.function[name].service_config[0].uri }
}

output "functions" {
  description = "The name of each function in the project."
  value       = local.functions_by_name
}

output "archives" {
  description = "The archive that each function was deployed from. `make stage` of the same commit gives the same names."
  value       = local.archives
}

output "database" {
  description = "The Firestore database."
  value       = google_firestore_database.seats.name
}

output "topic" {
  description = "The audit topic, for your own subscriptions."
  value       = google_pubsub_topic.audit.id
}

output "dead_letter_topic" {
  description = "The dead-letter topic, which your own subscriptions may use too."
  value       = google_pubsub_topic.dead_letters.id
}

output "audit_function" {
  description = "The table function of the audit trail in BigQuery, with each event once. Null without audit_in_bigquery."
  value       = var.audit_in_bigquery ? "${var.project_id}.${google_bigquery_dataset.audit["audit"].dataset_id}.${google_bigquery_routine.events["audit"].routine_id}" : null
}

output "dashboard" {
  description = "The dashboard's name in Cloud Monitoring."
  value       = google_monitoring_dashboard.seats.id
}
