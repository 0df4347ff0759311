# One function for each entry of functions.json, which the local stack reads too: what calls it stands there. How big it
# is stands here.
#
# What was measured is in infra/docs/benchmarks.md and infra/decisions, on the emulator and two shared cores; nothing of
# it on Google Cloud yet. Each number below says what it follows from, so that it can be set again when it is measured
# there.

locals {
  triggers = jsondecode(file("${path.module}/../functions.json"))

  for_clients = toset([for name, called in local.triggers : name if called.trigger == "request"])
  scheduled   = { for name, called in local.triggers : name => called.schedule if called.trigger == "schedule" }
  of_documents = merge([
    for name, called in local.triggers : {
      for number, event in try(called.events, []) : "${name}-${number}" => merge(event, { function = name })
    }
  ]...)

  # SEATLEASE_RUN_WITHIN_SECONDS: a scheduled function begins nothing new after this time. What expire_sessions leaves, the
  # next run finds first. reconcile walks over everything that is open, from the front each time, so it has what there is
  # of its quarter of an hour: half for what was left behind of the trail, half for seats.
  run_within_seconds = { expire_sessions = 45, reconcile = 600 }

  sizes = {
    # A client waits for its answer 8 s at most (SEATLEASE_ANSWER_WITHIN_SECONDS); the platform's limit is only there for
    # an instance that hangs, and leaves room for a cold start.
    #
    # concurrency   One process served about 1,000 heartbeats a second, and takes part in a group commit with whoever is
    #               in the same instance: the more of an organization's requests meet in one instance, the fewer commits
    #               and the fewer of them lost. If a request takes 80 ms, of which most is waiting for Firestore, 80
    #               requests at a time are what one CPU can serve. Groups take up to 200, so they are no limit.
    # maximum       Instances of one organization disturb each other (a lost attempt is read again), so few are better
    #               than many. Ten serve some thousand acquires a second, far above what one hot organization can have.
    #               They are also the bound on what a flood of requests can cost.
    acquire   = { concurrency = 80, memory = "512Mi", timeout = 20, minimum = var.warm_instances, maximum = 10 }
    heartbeat = { concurrency = 80, memory = "512Mi", timeout = 20, minimum = var.warm_instances, maximum = 10 }
    # A client that ends does not mind a cold start.
    release = { concurrency = 80, memory = "512Mi", timeout = 20, minimum = 0, maximum = 10 }
    # It shows a text that it was given at start, and caches answer for it most of the time.
    keys = { concurrency = 80, memory = "512Mi", timeout = 20, minimum = 0, maximum = 3 }
    # A page of 500 sessions and the day's 5,000 latest events are held at a time: fewer at once.
    usage = { concurrency = 20, memory = "512Mi", timeout = 20, minimum = 0, maximum = 5 }

    # One run at a time, which looks at all organizations; the scheduler does not start a second one either. What was
    # begun before the time was up is finished, which takes one request's time and a cold start at most: 30 s more.
    expire_sessions = { concurrency = 1, memory = "512Mi", timeout = local.run_within_seconds.expire_sessions + 30, minimum = 0, maximum = 1 }
    reconcile       = { concurrency = 1, memory = "512Mi", timeout = local.run_within_seconds.reconcile + 30, minimum = 0, maximum = 1 }

    # Events of a commit of 200 seats come at once, and each waits for Pub/Sub and Firestore most of its time. Eventarc
    # delivers through Pub/Sub, which waits 10 s for an answer unless told otherwise; the functions answer in 8.
    relay_audit = { concurrency = 80, memory = "512Mi", timeout = 20, minimum = 0, maximum = 10 }
    # People edit these by hand. A bulk import is what the maximum is for: it must not use up what Firebase Auth allows
    # a project, and events that are refused meanwhile are delivered again.
    sync_user_claims  = { concurrency = 10, memory = "512Mi", timeout = 20, minimum = 0, maximum = 3 }
    review_admin_edit = { concurrency = 10, memory = "512Mi", timeout = 20, minimum = 0, maximum = 3 }
  }

  settings = {
    # Staging is run as production is: an instance refuses what production refuses.
    SEATLEASE_ENVIRONMENT = var.environment == "development" ? "development" : "production"
    # The platform does not set it for functions of the second generation.
    GOOGLE_CLOUD_PROJECT = var.project_id
    SEATLEASE_DATABASE   = google_firestore_database.seats.name
    # A client that calls a function by its own address has one proxy before it, Google's front end, which appends the
    # client's address. Through Firebase Hosting there is one more, and the last entry is then Hosting's address. Both
    # ways are open, and a function cannot tell which one was taken. With 1 a session that came through Hosting shows an
    # address of Hosting's, and nobody can have another one shown. With 2 it shows the client's, but whoever calls the
    # function's own address can have any address shown. So it is 1 unless you want the addresses more than you
    # distrust them; nothing is decided by them. That it is exactly one more through Hosting has not been tried.
    SEATLEASE_TRUSTED_PROXY_HOPS     = tostring(var.trusted_proxy_hops)
    SEATLEASE_AUDIT_TOPIC            = google_pubsub_topic.audit.name
    SEATLEASE_KEEP_SESSIONS_DAYS     = tostring(var.keep_sessions_days)
    SEATLEASE_KEEP_AUDIT_EVENTS_DAYS = tostring(var.keep_audit_events_days)
    SEATLEASE_LOG_LEVEL              = var.log_level
    # The platform would set it to true, and functions-framework would then replace the logs' handler, and with it their
    # severities, by its own. The functions say the same at their start.
    LOG_EXECUTION_ID = "false"
  }

  # Shown by keys; and what signs refuses to start with a key that is not shown.
  know_keys   = setunion(local.signers, ["keys"])
  public_keys = { SEATLEASE_PUBLIC_KEYS = jsonencode(var.public_keys) }
}

resource "google_cloudfunctions2_function" "function" {
  for_each = local.triggers

  # The service below a function of the second generation has the function's name, and takes no underscores.
  name        = "seatlease-${replace(each.key, "_", "-")}"
  location    = var.region
  description = "Seatlease: ${each.key}"

  build_config {
    runtime           = var.runtime
    entry_point       = each.key
    service_account   = google_service_account.build.name
    docker_repository = google_artifact_registry_repository.images.id

    # Mended base images are put under the functions without a deployment.
    automatic_update_policy {}

    source {
      storage_source {
        bucket = google_storage_bucket.sources.name
        object = google_storage_bucket_object.source[each.key].name
      }
    }
  }

  service_config {
    service_account_email = local.account_emails[each.key]

    # One event loop uses one CPU, and more than one request at a time needs a whole one.
    available_cpu = "1"
    # A function that was called once takes 72 to 74 MB (measured staged, on Linux); the rest is for what it reads. Of
    # the price of an instance memory is a twentieth.
    available_memory                 = local.sizes[each.key].memory
    max_instance_request_concurrency = local.sizes[each.key].concurrency
    timeout_seconds                  = local.sizes[each.key].timeout
    min_instance_count               = local.sizes[each.key].minimum
    max_instance_count               = local.sizes[each.key].maximum

    # Cloud Scheduler and Eventarc of this project count as internal.
    ingress_settings               = contains(local.for_clients, each.key) ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"
    all_traffic_on_latest_revision = true
    environment_variables = merge(
      local.settings,
      contains(local.know_keys, each.key) ? local.public_keys : {},
      contains(keys(local.run_within_seconds), each.key) ? { SEATLEASE_RUN_WITHIN_SECONDS = tostring(local.run_within_seconds[each.key]) } : {},
    )

    # Read when an instance starts. Of a version, and not of the latest one: with it an instance that starts by itself
    # would sign with a key that keys does not show yet.
    dynamic "secret_environment_variables" {
      for_each = contains(local.signers, each.key) ? [var.signing_keys_version] : []
      content {
        key        = "SEATLEASE_SIGNING_KEYS"
        project_id = var.project_id
        secret     = google_secret_manager_secret.signing_keys.secret_id
        version    = secret_environment_variables.value
      }
    }
  }

  # No event_trigger: a function has one at most, and review_admin_edit is called for three kinds of events. So all
  # document events have the form below. The framework knows by its decorator that a function takes events.

  lifecycle {
    precondition {
      condition     = length(var.public_keys.keys) > 0
      error_message = "There are no keys to sign leases with: infra/docs/deploy.md#the-signing-keys says how to make them."
    }
  }

  depends_on = [
    google_project_service.api,
    google_project_iam_member.build,
    google_artifact_registry_repository_iam_member.build,
    google_secret_manager_secret_iam_member.signer,

    # A new version asks with the queries of its own as soon as it serves: an index that is still being built is an error.
    google_firestore_index.composite,
    google_firestore_field.override,
    # And it has the rights it needs.
    google_project_iam_member.database,
    google_project_iam_member.auth_admin,
    google_pubsub_topic_iam_member.publisher,
  ]
}

# Firestore's events. Trying again needs no switch: unless retry_policy says otherwise, Eventarc delivers an event until
# the function answers with success, after pauses of 10 to 600 s, for 24 hours (source: Eventarc's page on retrying
# events). Audit events that are still unpublished then are found by reconcile.
resource "google_eventarc_trigger" "document" {
  for_each = local.of_documents

  name = "seatlease-${replace(each.key, "_", "-")}"
  # Where the database is, also where that is a multi-region: Eventarc looks for the database there, and refuses any other
  # ("Database '(default)' does not exist in region 'us-central1'. Did you mean region 'nam5'?"). Firestore's page names
  # a region for each multi-region instead; who followed it got that answer (reported of terraform-provider-google).
  location        = local.database_location
  service_account = local.events_email

  # The only form in which Firestore's events come.
  event_data_content_type = "application/protobuf"

  matching_criteria {
    attribute = "type"
    value     = "google.cloud.firestore.document.v1.${each.value.event}"
  }

  matching_criteria {
    attribute = "database"
    value     = google_firestore_database.seats.name
  }

  matching_criteria {
    attribute = "document"
    value     = each.value.document
    operator  = "match-path-pattern"
  }

  lifecycle {
    # A database that was made anew is another one under the same name, and its triggers have to be made anew with it.
    replace_triggered_by = [google_firestore_database.seats.uid]
  }

  destination {
    cloud_run_service {
      service = google_cloudfunctions2_function.function[each.value.function].name
      region  = var.region
    }
  }

  depends_on = [
    google_project_iam_member.events,
    google_cloud_run_v2_service_iam_member.events,
  ]
}
