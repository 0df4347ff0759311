resource "google_cloud_scheduler_job" "run" {
  for_each = local.scheduled

  name        = "seatlease-${replace(each.key, "_", "-")}"
  description = "Seatlease: ${each.key}"
  region      = var.region
  schedule    = each.value
  time_zone   = "Etc/UTC"

  # As long as the function may take; no second run of a job begins before the first has ended or this time is up.
  attempt_deadline = "${local.sizes[each.key].timeout}s"

  # Nothing is kept between runs, so the next one is the second try: a minute later for expire_sessions, and for
  # reconcile in 15 minutes, for which nobody waits.
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
