# No function has a secret today: tokens are verified with Google's public keys, and everything else is done as the
# function's own account. The first secret will be the key that leases are signed with, so that a program can check
# offline that it may run. Its entry is here, empty, to fix its name and where it is kept: without a version it costs
# nothing, and nobody may read it. Whoever signs gets roles/secretmanager.secretAccessor on this entry, in access.tf,
# together with the code that signs.

resource "google_secret_manager_secret" "lease_signing_key" {
  secret_id = "seatlease-lease-signing-key"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.api]
}
