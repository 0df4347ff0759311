# The one secret: the keys that leases are signed with, so that a program can check by itself that it may run. Everything
# else is done as the function's own account, and tokens are verified with Google's public keys.
#
# Terraform makes the entry and never sees what is in it: its state is read by more people than may know a key. The
# versions come from `python -m infra.build.signing_keys` (docs/deploy.md, "The signing keys"); the first has to be there
# before acquire and heartbeat are deployed. Who may read it stands in access.tf.

resource "google_secret_manager_secret" "signing_keys" {
  secret_id = "seatlease-signing-keys"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.api]
}
