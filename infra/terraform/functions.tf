# One function for each entry of functions.json. That file says what calls each function; the local
# stack reads it too. This file says how big each function is.
#
# The sizes follow from measurements on the emulator, two shared cores: infra/docs/benchmarks.md and
# infra/decisions. Nothing has been measured on Google Cloud yet. Each number below says what it
# follows from, so that it can be set again after a measurement there.

locals {
  triggers = jsondecode(file("${path.module}/../functions.json"))

  for_clients = toset([for name, called in local.triggers : name if called.trigger == "request"])
  scheduled   = { for name, called in local.triggers : name => called.schedule if called.trigger == "schedule" }
  of_documents = merge([
    for name, called in local.triggers : {
      for number, event in try(called.events, []) : "${name}-${number}" => merge(event, { function = name })
    }
  ]...)

  # SEATLEASE_RUN_WITHIN_SECONDS: a scheduled function starts no new work after this time. The next
  # run of expire_sessions finds first what the last one left: half of the time is for sessions, half
  # for unpublished audit events. reconcile walks over everything that is open, and runs every 15
  # minutes. So it gets most of that time: half for sessions and counters, half for missed edits.
  # summarize_usage runs every hour, and the next run goes on where the last one stopped.
  run_within_seconds = { expire_sessions = 45, reconcile = 600, summarize_usage = 600 }

  sizes = {
    # A client waits at most 8 s for its answer (SEATLEASE_ANSWER_WITHIN_SECONDS). The platform's
    # limit (timeout) is only for an instance that hangs, and leaves room for a cold start.
    #
    # cpu           One event loop uses one CPU. More than one request at a time needs a whole one.
    #               Where a run or a request may take longer, half a CPU is enough.
    # concurrency   Requests of one organization that meet in one instance share a commit: the more
    #               of them, the fewer commits, and the fewer lost commits. A group takes up to 200.
    #               Cloud Run starts another instance at 60 % of this number: at 120 requests at a
    #               time.
    # maximum       Instances that decide for one organization disturb each other: after a lost
    #               attempt an instance reads again. So few are better than many. They also bound
    #               what a flood of requests can cost. All maxima together fit into 20 CPUs, the
    #               quota of a new project in a region. With more, busy functions would take the CPUs
    #               of those that free seats (infra/docs/limits.md).
    acquire   = { cpu = "1", concurrency = 200, memory = "512Mi", timeout = 20, minimum = var.warm_instances, maximum = 4 }
    heartbeat = { cpu = "1", concurrency = 200, memory = "512Mi", timeout = 20, minimum = var.warm_instances, maximum = 2 }
    # A client that ends can wait for a cold start.
    release = { cpu = "1", concurrency = 200, memory = "512Mi", timeout = 20, minimum = 0, maximum = 2 }
    # It shows a text that it was given at start, and caches answer most requests.
    keys = { cpu = "1", concurrency = 80, memory = "512Mi", timeout = 20, minimum = 0, maximum = 1 }
    # A person joins once. 500 people of a company may do so on one morning, from one address.
    join = { cpu = "1", concurrency = 10, memory = "512Mi", timeout = 20, minimum = 0, maximum = 1 }
    # Owners and admins call these by hand. One request at a time needs half a CPU, and no two of
    # them decide about the same people at the same time.
    invitations = { cpu = "0.5", concurrency = 1, memory = "512Mi", timeout = 20, minimum = 0, maximum = 1 }
    members     = { cpu = "0.5", concurrency = 1, memory = "512Mi", timeout = 20, minimum = 0, maximum = 1 }
    # A request holds a page of 500 sessions and the day's latest 5,000 events: fewer at once.
    usage = { cpu = "1", concurrency = 20, memory = "512Mi", timeout = 20, minimum = 0, maximum = 2 }
    # A request holds up to 3,000 days of licenses, some megabytes: few at once.
    history = { cpu = "1", concurrency = 10, memory = "512Mi", timeout = 20, minimum = 0, maximum = 1 }

    # One run at a time looks at all organizations; the scheduler starts no second one either. A run
    # finishes what it started in time: at most one request and a cold start, so 30 s more.
    expire_sessions = { cpu = "1", concurrency = 1, memory = "512Mi", timeout = local.run_within_seconds.expire_sessions + 30, minimum = 0, maximum = 1 }
    reconcile       = { cpu = "1", concurrency = 1, memory = "512Mi", timeout = local.run_within_seconds.reconcile + 30, minimum = 0, maximum = 1 }
    summarize_usage = { cpu = "0.5", concurrency = 1, memory = "512Mi", timeout = local.run_within_seconds.summarize_usage + 30, minimum = 0, maximum = 1 }

    # A commit of 200 seats sends its events at once, and each waits for Pub/Sub and Firestore most
    # of its time. Eventarc delivers through Pub/Sub, which waits 10 s by default. The functions
    # answer in 8 s.
    relay_audit = { cpu = "1", concurrency = 80, memory = "512Mi", timeout = 20, minimum = 0, maximum = 1 }
    # Admins edit these documents by hand. The maximum is for a bulk import: it must not use up what
    # Firebase Auth allows a project. Events that are refused meanwhile are delivered again.
    sync_user_claims  = { cpu = "1", concurrency = 10, memory = "512Mi", timeout = 20, minimum = 0, maximum = 1 }
    review_admin_edit = { cpu = "1", concurrency = 10, memory = "512Mi", timeout = 20, minimum = 0, maximum = 1 }
  }

  client_ingress = { "all" = "ALLOW_ALL", "internal-and-gclb" = "ALLOW_INTERNAL_AND_GCLB" }

  settings = {
    # Staging runs as production does: an instance refuses what production refuses.
    SEATLEASE_ENVIRONMENT = var.environment == "development" ? "development" : "production"
    # The platform does not set it for functions of the second generation.
    GOOGLE_CLOUD_PROJECT = var.project_id
    SEATLEASE_DATABASE   = google_firestore_database.seats.name
    # The global address may be served from another location.
    SEATLEASE_FIRESTORE_HOST = var.firestore_host
    # How many proxies stand before a function. A request to the function's own address passes one,
    # Google's front end, which appends the client's address. Through Firebase Hosting there is one
    # more, and the last entry is Hosting's address. (That it is exactly one more has not been
    # tried.) Both ways are open, and a function cannot tell which one a request took.
    #   1   a session through Hosting shows an address of Hosting, and no client can forge one
    #   2   it shows the client's address, but a client that calls the function itself can forge any
    # The default is 1. Set 2 if you want to see the addresses more than to trust them: a direct
    # caller then writes any address into its session and into the audit trail. No decision depends
    # on them. ingress = "internal-and-gclb" closes the direct way.
    # Users of Hosting report that it sends the client's address in Fastly-Client-IP. With this
    # header, a request through Hosting shows that address, and a direct one the address above.
    # It can be forged just as with 2: by each direct caller that sends the header.
    SEATLEASE_TRUSTED_PROXY_HOPS     = tostring(var.trusted_proxy_hops)
    SEATLEASE_ADDRESS_HEADER         = var.address_header
    SEATLEASE_CLIENT_ADDRESSES       = var.client_addresses
    SEATLEASE_AUDIT_TOPIC            = google_pubsub_topic.audit.name
    SEATLEASE_KEEP_SESSIONS_DAYS     = tostring(var.keep_sessions_days)
    SEATLEASE_KEEP_AUDIT_EVENTS_DAYS = tostring(var.keep_audit_events_days)
    SEATLEASE_LOG_LEVEL              = var.log_level
    # The platform would set it to true. functions-framework would then replace the logs' handler,
    # and the severities would be lost. The functions set it at their start too.
    LOG_EXECUTION_ID = "false"
  }

  # keys shows the public keys. A function that signs does not start with a key that is not shown.
  know_keys   = setunion(local.signers, ["keys"])
  public_keys = { SEATLEASE_PUBLIC_KEYS = jsonencode(var.public_keys) }
}

resource "google_cloudfunctions2_function" "function" {
  for_each = local.triggers

  # The Cloud Run service of a function has the function's name, and allows no underscores.
  name        = "seatlease-${replace(each.key, "_", "-")}"
  location    = var.region
  description = "Seatlease: ${each.key}"

  build_config {
    runtime           = var.runtime
    entry_point       = each.key
    service_account   = google_service_account.build.name
    docker_repository = google_artifact_registry_repository.images.id

    # The platform puts updated base images under the functions, without a deployment.
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

    available_cpu = local.sizes[each.key].cpu
    # A function that was called once takes 72 to 74 MB (measured staged, on Linux). The rest is for
    # what it reads. Memory is a twentieth of an instance's price.
    available_memory                 = local.sizes[each.key].memory
    max_instance_request_concurrency = local.sizes[each.key].concurrency
    timeout_seconds                  = local.sizes[each.key].timeout
    min_instance_count               = local.sizes[each.key].minimum
    max_instance_count               = local.sizes[each.key].maximum

    # Cloud Scheduler and Eventarc of this project count as internal.
    ingress_settings               = contains(local.for_clients, each.key) ? local.client_ingress[var.ingress] : "ALLOW_INTERNAL_ONLY"
    all_traffic_on_latest_revision = true
    environment_variables = merge(
      local.settings,
      contains(local.know_keys, each.key) ? local.public_keys : {},
      contains(local.for_clients, each.key) ? { SEATLEASE_ALLOWED_ORIGINS = join(",", var.allowed_origins) } : {},
      contains(keys(local.run_within_seconds), each.key) ? { SEATLEASE_RUN_WITHIN_SECONDS = tostring(local.run_within_seconds[each.key]) } : {},
    )

    # Read when an instance starts. It names a version: with "latest", an instance that starts
    # between two builds could sign with a key that keys does not show yet.
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

  # No event_trigger: a function can have only one, and review_admin_edit is called for three kinds
  # of events. So all document events have triggers of their own, below. The decorator in the code
  # tells the framework that a function takes events.

  lifecycle {
    precondition {
      condition     = length(var.public_keys.keys) > 0
      error_message = "There are no signing keys. Make them: see infra/docs/deploy.md#the-signing-keys."
    }
  }

  depends_on = [
    google_project_service.api,
    google_project_iam_member.build,
    google_artifact_registry_repository_iam_member.build,
    google_secret_manager_secret_iam_member.signer,

    # A new version uses its own queries at once. A query whose index is not ready fails.
    google_firestore_index.composite,
    google_firestore_field.override,
    # It also needs its rights.
    google_project_iam_member.database,
    google_project_iam_member.claim_setter,
    google_pubsub_topic_iam_member.publisher,
  ]
}

# Firestore's events. Retries are on by default: without a retry_policy, Eventarc delivers an event
# until the function answers with success, after pauses of 10 to 600 s, for 24 hours. Source:
# Eventarc's page on retrying events. expire_sessions publishes what is still unpublished meanwhile.
resource "google_eventarc_trigger" "document" {
  for_each = local.of_documents

  name = "seatlease-${replace(each.key, "_", "-")}"
  # The database's location, even if that is a multi-region. Eventarc looks for the database there,
  # and refuses any other place ("Database '(default)' does not exist in region 'us-central1'. Did
  # you mean region 'nam5'?"). Firestore's page names a region for each multi-region instead. With
  # that region, users of terraform-provider-google reported this error.
  location        = local.database_location
  service_account = local.events_email

  # Firestore's events come in this form only.
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
    # A database that was created again is another one under the same name. It needs new triggers.
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
