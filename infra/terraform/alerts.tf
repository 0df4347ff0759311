# What somebody has to know, and where it says what to do: each alert has its own part of the runbook. An alert that
# names a metric may be refused for some minutes after the metric was made: then apply again.

locals {
  functions_by_name = { for name in keys(local.triggers) : name => "seatlease-${replace(name, "_", "-")}" }
  of_our_functions  = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"seatlease-.*\")"
  runbook           = "infra/docs/deploy.md"

  alerts = {
    denials = {
      title     = "Many people are refused a seat"
      meaning   = "Not a fault: some organization has fewer seats than it needs. Its audit events session.denied say which, and how many seats would have been enough."
      severity  = "WARNING"
      filter    = "metric.type=\"logging.googleapis.com/user/seatlease/denials\" AND resource.type=\"cloud_run_revision\""
      period    = "3600s"
      threshold = var.denials_an_hour
    }
    contention = {
      title     = "Requests lose to others until their deadline"
      meaning   = "Clients got 503 CONTENTION. One organization changes its seats from many instances at once, or somebody set its counters back."
      severity  = "WARNING"
      filter    = "metric.type=\"logging.googleapis.com/user/seatlease/contention\" AND resource.type=\"cloud_run_revision\""
      period    = "300s"
      threshold = 5
    }
    server_errors = {
      title     = "Clients get server errors"
      meaning   = "More than five answers of 500 or above in five minutes, contention aside. Seats that were granted stay granted until their lease ends."
      severity  = "ERROR"
      filter    = "metric.type=\"logging.googleapis.com/user/seatlease/server_errors\" AND resource.type=\"cloud_run_revision\" AND metric.labels.code!=\"CONTENTION\""
      period    = "300s"
      threshold = 5
    }
    # Of functions that do not even start, or are called by nobody who would complain, only the platform knows.
    failing_functions = {
      title     = "Functions that run by themselves fail"
      meaning   = "The platform counts failures of functions that the scheduler or Firestore's events call. Events are delivered again for 24 hours."
      severity  = "ERROR"
      filter    = "metric.type=\"run.googleapis.com/request_count\" AND metric.labels.response_code_class=\"5xx\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"${join("|", [for name, id in local.functions_by_name : id if !contains(local.for_clients, name)])}\")"
      period    = "600s"
      threshold = 10
    }
    relay_backlog = {
      title     = "Audit events are not published"
      meaning   = "Two runs of reconcile left events unpublished. None is lost: they are documents, and are published when the cause is gone."
      severity  = "ERROR"
      filter    = "metric.type=\"logging.googleapis.com/user/seatlease/runs_with_events_left\" AND resource.type=\"cloud_run_revision\""
      period    = "2400s"
      threshold = 1
    }
    failed_calls = {
      title     = "The scheduler's calls fail"
      meaning   = "A scheduled function answered with an error, or not in time, more than three times in ten minutes. Seats fall free without it; the audit trail is late."
      severity  = "ERROR"
      filter    = "metric.type=\"logging.googleapis.com/user/seatlease/failed_calls\" AND resource.type=\"cloud_scheduler_job\""
      period    = "600s"
      threshold = 3
    }
    dead_letters = {
      title     = "Audit events were given up"
      meaning   = "A subscription put messages among the dead letters, where they are kept for 31 days."
      severity  = "ERROR"
      filter    = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.dead_letters.name}\""
      period    = "300s"
      threshold = 0
      # A number of messages, and not a count of lines.
      aligner = "ALIGN_MAX"
    }
    slow_answers = {
      title     = "Clients wait for their answers"
      meaning   = "One answer of acquire or heartbeat in a hundred takes more than two seconds."
      severity  = "WARNING"
      filter    = "metric.type=\"run.googleapis.com/request_latencies\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"${local.functions_by_name.acquire}|${local.functions_by_name.heartbeat}\")"
      period    = "600s"
      threshold = 2000
      aligner   = "ALIGN_PERCENTILE_99"
      reducer   = "REDUCE_MAX"
    }
  }
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  display_name = "Seatlease: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "above" {
  for_each = local.alerts

  display_name = "Seatlease: ${each.value.title}"
  combiner     = "OR"
  severity     = each.value.severity

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.threshold
      duration        = "0s"

      aggregations {
        alignment_period     = each.value.period
        per_series_aligner   = try(each.value.aligner, "ALIGN_DELTA")
        cross_series_reducer = try(each.value.reducer, "REDUCE_SUM")
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    subject   = "Seatlease: ${each.value.title}"
    mime_type = "text/markdown"
    content   = "${each.value.meaning}\n\nWhat to do: ${local.runbook}#alert-${replace(each.key, "_", "-")}"
  }

  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.name]

  depends_on = [
    google_logging_metric.counted,
    google_logging_metric.failed_calls,
    google_project_service.api,
  ]
}

# Nobody complains about a function that is called no more.
resource "google_monitoring_alert_policy" "silent_scheduler" {
  display_name = "Seatlease: expire_sessions is not called"
  combiner     = "OR"
  severity     = "ERROR"

  conditions {
    display_name = "No call for ten minutes"

    condition_absent {
      filter   = "metric.type=\"run.googleapis.com/request_count\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.functions_by_name.expire_sessions}\""
      duration = "600s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    subject   = "Seatlease: expire_sessions is not called"
    mime_type = "text/markdown"
    content   = "The scheduler calls it every minute. Seats fall free without it, at the next acquire; the audit trail is late.\n\nWhat to do: ${local.runbook}#alert-silent-scheduler"
  }

  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.name]

  depends_on = [google_project_service.api]
}
