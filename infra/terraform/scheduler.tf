# Cloud Scheduler's jobs: one for each function with a schedule in functions.json.

resource "google_cloud_scheduler_job" "run" {
  for_each = local.scheduled

  name        = "seatlease-${replace(each.key, "_", "-")}"
  description = "Seatlease: ${each.key}"
  region      = var.region
  schedule    = each.value
  time_zone   = "Etc/UTC"

  # As long as the function may take. A second run of a job starts only when the first has ended, or
  # when this time is up.
  attempt_deadline = "${local.sizes[each.key].timeout}s"

  # No retries: nothing is kept between runs, so the next run is the second try. It comes a minute
  # later for expire_sessions, 15 minutes later for reconcile, and an hour later for
  # summarize_usage. The work of these two is not urgent.
  retry_config {
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = google_cloudfunctions2_function.function[each.key].service_config[0].uri

    oidc_token {
      service_account_email = local.scheduler_email
      audience              = google_cloudfunctions2_function.function[each.key].service_config[0].uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.scheduler]
}
