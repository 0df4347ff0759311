# The dashboard: one page that shows whether users work, whether acquires are denied, and whether
# something is wrong. Each chart has a title, a metric (filter), two functions that combine its
# points (aligner, reducer), and the labels that it is split by.

locals {
  charts = [
    {
      title   = "Requests per second, by function"
      filter  = "metric.type=\"run.googleapis.com/request_count\" AND ${local.of_our_functions}"
      aligner = "ALIGN_RATE"
      reducer = "REDUCE_SUM"
      by      = ["resource.label.service_name"]
    },
    {
      title   = "Latency, 99th percentile in ms, by function"
      filter  = "metric.type=\"run.googleapis.com/request_latencies\" AND ${local.of_our_functions}"
      aligner = "ALIGN_PERCENTILE_99"
      reducer = "REDUCE_MAX"
      by      = ["resource.label.service_name"]
    },
    {
      title   = "Denied acquires, by code"
      filter  = "metric.type=\"logging.googleapis.com/user/seatlease/denials\" AND resource.type=\"cloud_run_revision\""
      aligner = "ALIGN_DELTA"
      reducer = "REDUCE_SUM"
      by      = ["metric.label.code"]
    },
    {
      title   = "Contention, by function"
      filter  = "metric.type=\"logging.googleapis.com/user/seatlease/contention\" AND resource.type=\"cloud_run_revision\""
      aligner = "ALIGN_DELTA"
      reducer = "REDUCE_SUM"
      by      = ["metric.label.function"]
    },
    {
      title   = "Server errors, by code"
      filter  = "metric.type=\"logging.googleapis.com/user/seatlease/server_errors\" AND resource.type=\"cloud_run_revision\""
      aligner = "ALIGN_DELTA"
      reducer = "REDUCE_SUM"
      by      = ["metric.label.code"]
    },
    {
      title   = "Audit events left unpublished by a run"
      filter  = "metric.type=\"logging.googleapis.com/user/seatlease/events_left\" AND resource.type=\"cloud_run_revision\""
      aligner = "ALIGN_PERCENTILE_99"
      reducer = "REDUCE_MAX"
      by      = []
    },
    {
      title   = "Instances, by function"
      filter  = "metric.type=\"run.googleapis.com/container/instance_count\" AND ${local.of_our_functions}"
      aligner = "ALIGN_MAX"
      reducer = "REDUCE_SUM"
      by      = ["resource.label.service_name"]
    },
    {
      title   = "CPU in use, by function"
      filter  = "metric.type=\"run.googleapis.com/container/cpu/utilizations\" AND ${local.of_our_functions}"
      aligner = "ALIGN_PERCENTILE_95"
      reducer = "REDUCE_MAX"
      by      = ["resource.label.service_name"]
    },
    {
      title   = "Documents read per second, by type"
      filter  = "metric.type=\"firestore.googleapis.com/document/read_ops_count\" AND resource.type=\"firestore.googleapis.com/Database\""
      aligner = "ALIGN_RATE"
      reducer = "REDUCE_SUM"
      by      = ["metric.label.type"]
    },
    {
      title   = "Documents written per second, by operation"
      filter  = "metric.type=\"firestore.googleapis.com/document/write_ops_count\" AND resource.type=\"firestore.googleapis.com/Database\""
      aligner = "ALIGN_RATE"
      reducer = "REDUCE_SUM"
      by      = ["metric.label.op"]
    },
    {
      title   = "Undelivered messages, by subscription"
      filter  = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\"seatlease-.*\")"
      aligner = "ALIGN_MAX"
      reducer = "REDUCE_SUM"
      by      = ["resource.label.subscription_id"]
    },
    {
      title   = "Failed calls of Cloud Scheduler, by job"
      filter  = "metric.type=\"logging.googleapis.com/user/seatlease/failed_calls\" AND resource.type=\"cloud_scheduler_job\""
      aligner = "ALIGN_DELTA"
      reducer = "REDUCE_SUM"
      by      = ["metric.label.job"]
    },
  ]
}

resource "google_monitoring_dashboard" "seats" {
  dashboard_json = jsonencode({
    displayName = "Seatlease"
    gridLayout = {
      columns = "3"
      widgets = [
        for chart in local.charts : {
          title = chart.title
          xyChart = {
            dataSets = [{
              plotType       = "LINE"
              legendTemplate = join(" ", [for label in chart.by : "$${${replace(label, ".label.", ".labels.")}}"])
              timeSeriesQuery = {
                timeSeriesFilter = {
                  filter = chart.filter
                  aggregation = {
                    alignmentPeriod    = "60s"
                    perSeriesAligner   = chart.aligner
                    crossSeriesReducer = chart.reducer
                    groupByFields      = chart.by
                  }
                }
              }
            }]
          }
        }
      ]
    }
  })

  depends_on = [google_project_service.api]
}
