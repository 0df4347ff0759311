# Metrics that count the functions' own log lines (shared/edge/logs.py, shared/edge/http.py). A line
# is JSON. The last line of a request has the message "answered", with its code and status.
# Successful requests are not logged, so the lines cost little. tests/infra/test_watching.py lets
# the code write real lines, and checks that these filters count them.

locals {
  our_lines = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=~\"^seatlease-\""
  answers   = "${local.our_lines} AND jsonPayload.message=\"answered\""
  relays    = "${local.our_lines} AND jsonPayload.logger=\"shared.audit.relay\""

  counted_lines = {
    denials = {
      title  = "Denied acquires"
      filter = "${local.answers} AND jsonPayload.code=(\"SEAT_LIMIT_REACHED\" OR \"ORGANIZATION_SEAT_LIMIT_REACHED\")"
      labels = ["code"]
    }
    contention = {
      title  = "Requests that ended in CONTENTION"
      filter = "${local.answers} AND jsonPayload.code=\"CONTENTION\""
      labels = ["function"]
    }
    server_errors = {
      title  = "Answers of 500 and above"
      filter = "${local.answers} AND jsonPayload.status>=500"
      labels = ["code", "function"]
    }
    unfinished_expiries = {
      title  = "Runs of expire_sessions whose time was up before all lapsed sessions had ended"
      filter = "${local.our_lines} AND jsonPayload.logger=\"shared.seats.expire\" AND jsonPayload.is_complete=false"
      labels = []
    }
    runs_with_events_left = {
      title  = "Runs of expire_sessions that left audit events unpublished"
      filter = "${local.relays} AND jsonPayload.events_left>0"
      labels = []
    }
  }
}

resource "google_logging_metric" "counted" {
  for_each = local.counted_lines

  name        = "seatlease/${each.key}"
  description = each.value.title
  filter      = each.value.filter

  metric_descriptor {
    display_name = each.value.title
    metric_kind  = "DELTA"
    value_type   = "INT64"
    unit         = "1"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  label_extractors = { for label in each.value.labels : label => "EXTRACT(jsonPayload.${label})" }

  depends_on = [google_project_service.api]
}

resource "google_logging_metric" "events_left" {
  name            = "seatlease/events_left"
  description     = "Audit events that a run of expire_sessions left unpublished"
  filter          = "${local.relays} AND jsonPayload.events_left>=0"
  value_extractor = "EXTRACT(jsonPayload.events_left)"

  metric_descriptor {
    display_name = "Audit events left unpublished"
    metric_kind  = "DELTA"
    value_type   = "DISTRIBUTION"
    unit         = "1"
  }

  bucket_options {
    explicit_buckets {
      bounds = [1, 10, 100, 1000, 10000, 100000]
    }
  }

  depends_on = [google_project_service.api]
}

# This one counts Cloud Scheduler's own log lines about failed calls.
resource "google_logging_metric" "failed_calls" {
  name        = "seatlease/failed_calls"
  description = "Failed calls of Cloud Scheduler"
  filter      = "resource.type=\"cloud_scheduler_job\" AND resource.labels.job_id=~\"^seatlease-\" AND severity>=ERROR"

  metric_descriptor {
    display_name = "Failed calls of Cloud Scheduler"
    metric_kind  = "DELTA"
    value_type   = "INT64"
    unit         = "1"

    labels {
      key        = "job"
      value_type = "STRING"
    }
  }

  label_extractors = { job = "EXTRACT(resource.labels.job_id)" }

  depends_on = [google_project_service.api]
}
