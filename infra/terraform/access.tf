# Rights: which account may do what. tests/infra/test_access.py has its own list of all rights, and
# fails when a right here is not in it.
#
# Every function runs as an account of its own. The addresses of accounts are built from the ids
# below, not read from Google's answers. So a plan shows all rights before anything exists.

locals {
  account_emails  = { for name, account in google_service_account.function : name => "${account.account_id}@${var.project_id}.iam.gserviceaccount.com" }
  scheduler_email = "${google_service_account.scheduler.account_id}@${var.project_id}.iam.gserviceaccount.com"
  events_email    = "${google_service_account.events.account_id}@${var.project_id}.iam.gserviceaccount.com"
  build_email     = "${google_service_account.build.account_id}@${var.project_id}.iam.gserviceaccount.com"

  # The two that publish audit events. Functions that a client waits for never wait for Pub/Sub, and
  # have no right on it.
  publishers = toset(["expire_sessions", "relay_audit"])
  # The only one that changes accounts: it sets the claims of tokens.
  claim_setters = toset(["sync_user_claims"])
  # All but keys, which only shows the keys that it was given at start.
  store_users = setsubtract(keys(local.triggers), ["keys"])
  # The two that just read. An attacker who takes one over can change nothing.
  readers = toset(["usage", "history"])
  # The two that grant leases and sign them.
  signers = toset(["acquire", "heartbeat"])
}

resource "google_service_account" "function" {
  for_each = local.triggers

  account_id   = "seatlease-${replace(each.key, "_", "-")}"
  display_name = "Seatlease: ${each.key}"

  depends_on = [google_project_service.api]
}

resource "google_service_account" "scheduler" {
  account_id   = "seatlease-scheduler"
  display_name = "Seatlease: Cloud Scheduler calls functions as this account"

  depends_on = [google_project_service.api]
}

resource "google_service_account" "events" {
  account_id   = "seatlease-events"
  display_name = "Seatlease: Eventarc calls functions as this account"

  depends_on = [google_project_service.api]
}

resource "google_service_account" "build" {
  account_id   = "seatlease-build"
  display_name = "Seatlease: Cloud Build builds functions as this account"

  depends_on = [google_project_service.api]
}

# It has no roles: the right to sign as it is no right in Google Cloud. But Firebase accepts what any
# account of the project signs, for any user. infra/docs/deploy.md#the-canary says who may sign.
resource "google_service_account" "canary" {
  account_id   = "seatlease-canary"
  display_name = "Seatlease: the smoke test and the doctor sign the canary in as this account"

  depends_on = [google_project_service.api]
}

# What functions may do

resource "google_project_iam_member" "database" {
  for_each = local.store_users

  project = var.project_id
  role    = contains(local.readers, each.key) ? "roles/datastore.viewer" : "roles/datastore.user"
  member  = "serviceAccount:${local.account_emails[each.key]}"

  # The role is for the whole project; this condition limits it to one database. Source: Firestore's
  # page on managing databases.
  condition {
    title      = "seats-only"
    expression = "resource.name == \"projects/${var.project_id}/databases/${google_firestore_database.seats.name}\""
  }

  # A changed right is granted before the old one goes, so no function is ever without it.
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = local.publishers

  topic  = google_pubsub_topic.audit.name
  role   = "roles/pubsub.publisher"
  member = "serviceAccount:${local.account_emails[each.key]}"
}

# What the code does to an account: look it up, set its claims, revoke its refresh tokens. Google's
# own role for this, firebaseauth.admin, may also create and delete accounts, and change how people
# sign in. Source of the permissions: Identity Platform's page on access control (GetAccountInfo,
# SetAccountInfo).
resource "google_project_iam_custom_role" "claim_setter" {
  role_id     = "seatlease.claimSetter"
  title       = "Seatlease: set the claims of accounts"
  permissions = ["firebaseauth.users.get", "firebaseauth.users.update"]

  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "claim_setter" {
  for_each = local.claim_setters

  project = var.project_id
  role    = "projects/${var.project_id}/roles/${google_project_iam_custom_role.claim_setter.role_id}"
  member  = "serviceAccount:${local.account_emails[each.key]}"
}

resource "google_secret_manager_secret_iam_member" "signer" {
  for_each = local.signers

  secret_id = google_secret_manager_secret.signing_keys.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${local.account_emails[each.key]}"
}

# Who may call them

resource "google_cloud_run_v2_service_iam_member" "public" {
  for_each = var.grant_all_users ? local.for_clients : []

  location = var.region
  name     = google_cloudfunctions2_function.function[each.key].name
  role     = "roles/run.invoker"
  # Everybody may call these. Each verifies a user's token first, except keys, which shows public
  # keys. An organization policy may forbid this (iam.allowedPolicyMemberDomains):
  # infra/docs/deploy.md#all-users says what to do.
  member = "allUsers"
}

resource "google_cloud_run_v2_service_iam_member" "scheduler" {
  for_each = local.scheduled

  location = var.region
  name     = google_cloudfunctions2_function.function[each.key].name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${local.scheduler_email}"
}

resource "google_cloud_run_v2_service_iam_member" "events" {
  for_each = toset([for event in local.of_documents : event.function])

  location = var.region
  name     = google_cloudfunctions2_function.function[each.key].name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${local.events_email}"
}

resource "google_project_iam_member" "events" {
  project = var.project_id
  role    = "roles/eventarc.eventReceiver"
  member  = "serviceAccount:${local.events_email}"
}

# What building may do

resource "google_project_iam_member" "build" {
  for_each = {
    "roles/logging.logWriter" = null
    # Before a build, Cloud Functions copies the archive into its own bucket, one for each region.
    # The builder may read these two buckets and no other, so it cannot read Terraform's state.
    "roles/storage.objectViewer" = join(" || ", [
      for bucket in ["gcf-v2-sources-${data.google_project.this.number}-${var.region}", google_storage_bucket.sources.name] :
      "resource.name == \"projects/_/buckets/${bucket}\" || resource.name.startsWith(\"projects/_/buckets/${bucket}/\")"
    ])
  }

  project = var.project_id
  role    = each.key
  member  = "serviceAccount:${local.build_email}"

  dynamic "condition" {
    for_each = each.value == null ? [] : [each.value]
    content {
      title      = "sources-only"
      expression = condition.value
    }
  }
}

resource "google_artifact_registry_repository_iam_member" "build" {
  location   = var.region
  repository = google_artifact_registry_repository.images.repository_id
  role       = "roles/artifactregistry.writer"
  member     = "serviceAccount:${local.build_email}"
}
