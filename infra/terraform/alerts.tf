# Alerts. Each has its own section in the runbook (infra/docs/deploy.md), which says what to do.
#
# Monitoring may refuse an alert for ten minutes after its metric was created. So the first deployment
# creates the metrics a while before (infra/docs/deploy.md), or applies again.

locals {
  functions_by_name = { for name in keys(local.triggers) : name => "seatlease-${replace(name, "_", "-")}" }
  of_our_functions  = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"seatlease-.*\")"
  client_functions  = join("|", [for name in local.for_clients : local.functions_by_name[name]])

  alerts = {
    denials = {
      title     = "Many acquires are denied"
      meaning   = "More than ${var.denials_an_hour} acquires were denied within an hour, because no seat was free. Nothing is broken: an organization has fewer seats than it needs. Its audit events session.denied say which organization, and how many seats would have been enough."
      severity  = "WARNING"
      filter    = "metric.type=\"logging.googleapis.com/user/seatlease/denials\" AND resource.type=\"cloud_run_revision\""
      period    = "3600s"
      threshold = var.denials_an_hour
    }
    contention = {
      title     = "Requests end in CONTENTION"
      meaning   = "More than five requests in five minutes got 503 CONTENTION: other requests were faster until the deadline. Many instances change the seats of one organization at once, or its counters were set back by hand."
      severity  = "WARNING"
      filter    = "metric.type=\"logging.googleapis.com/user/seatlease/contention\" AND resource.type=\"cloud_run_revision\""
      period    = "300s"
      threshold = 5
    }
    server_errors = {
      title     = "Clients get server errors"
      meaning   = "More than five answers of 500 or above in five minutes, without CONTENTION. A granted seat stays granted until its lease ends."
      severity  = "ERROR"
      filter    = "metric.type=\"logging.googleapis.com/user/seatlease/server_errors\" AND resource.type=\"cloud_run_revision\" AND metric.labels.code!=\"CONTENTION\""
      period    = "300s"
      threshold = 5
    }
    # A function that does not start, or that the platform refuses to call, logs no line of its own. So
    # this alert counts what the platform counts. The answers of server_errors and contention are among
    # these, so its threshold is higher.
    platform_errors = {
      title     = "The platform answers clients with errors"
      meaning   = "More than twenty answers of 500 or above, or of 429, in five minutes, from functions that clients call. The platform counts them, also when a function does not start, runs out of memory, or has no instance left."
      severity  = "ERROR"
      filter    = "metric.type=\"run.googleapis.com/request_count\" AND metric.labels.response_code=monitoring.regex.full_match(\"429|5..\") AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"${local.client_functions}\")"
      period    = "300s"
      threshold = 20
    }
    # No client complains about these functions, and one that does not start logs no line of its
    # own. So this alert counts what the platform counts.
    failing_functions = {
      title     = "Functions that no client calls fail"
      meaning   = "More than ten answers of 500 or above in ten minutes, from functions that Cloud Scheduler or Firestore's events call. The platform counts them. Events are delivered again for 24 hours."
      severity  = "ERROR"
      filter    = "metric.type=\"run.googleapis.com/request_count\" AND metric.labels.response_code_class=\"5xx\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"${join("|", [for name, id in local.functions_by_name : id if !contains(local.for_clients, name)])}\")"
      period    = "600s"
      threshold = 10
    }
    relay_backlog = {
      title     = "Audit events are not published"
      meaning   = "More than five runs of expire_sessions within ten minutes left events unpublished. No event is lost: each is a document, and is published once the cause is gone."
      severity  = "ERROR"
      filter    = "metric.type=\"logging.googleapis.com/user/seatlease/runs_with_events_left\" AND resource.type=\"cloud_run_revision\""
      period    = "600s"
      threshold = 5
    }
    unfinished_expiries = {
      title     = "Runs of expire_sessions do not finish"
      meaning   = "More than thirty runs of expire_sessions within an hour ended before they had ended all lapsed sessions. More leases lapse than the runs can end. Lapsed sessions hold no seat, but audit events come late."
      severity  = "WARNING"
      filter    = "metric.type=\"logging.googleapis.com/user/seatlease/unfinished_expiries\" AND resource.type=\"cloud_run_revision\""
      period    = "3600s"
      threshold = 30
    }
    failed_calls = {
      title     = "Calls of Cloud Scheduler fail"
      meaning   = "More than three calls of a scheduled function failed, or got no answer in time, within ten minutes. Expired leases free their seats all the same, but audit events come late."
      severity  = "ERROR"
      filter    = "metric.type=\"logging.googleapis.com/user/seatlease/failed_calls\" AND resource.type=\"cloud_scheduler_job\""
      period    = "600s"
      threshold = 3
    }
    dead_letters = {
      title     = "Audit events could not be delivered"
      meaning   = "A subscription gave up messages and moved them to the dead letters, where they are kept for 31 days."
      severity  = "ERROR"
      filter    = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.dead_letters.name}\""
      period    = "300s"
      threshold = 0
      # The metric is a number of messages, not a count of log lines.
      aligner = "ALIGN_MAX"
    }
    slow_answers = {
      title   = "Clients wait for their answers"
      meaning = "One answer of acquire or heartbeat in a hundred takes more than two seconds."
      # Without warm instances each first start would open it.
      is_wanted = var.warm_instances > 0
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
  for_each = { for name, alert in local.alerts : name => alert if try(alert.is_wanted, true) }

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
    content   = "${each.value.meaning}\n\nWhat to do: ${var.runbook}#alert-${replace(each.key, "_", "-")}"
  }

  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.name]

  depends_on = [
    google_logging_metric.counted,
    google_logging_metric.failed_calls,
    google_project_service.api,
  ]
}

# A function that is no longer called logs nothing, so this alert opens when calls are absent.
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
    content   = "Cloud Scheduler calls it every minute, but no call came for ten minutes. Expired leases free their seats all the same, at the next acquire, but audit events come late.\n\nWhat to do: ${var.runbook}#alert-silent-scheduler"
  }

  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.name]

  depends_on = [google_project_service.api]
}
