# The one secret: the keys that sign leases, so that a program can check by itself that it may run.
# The functions need no other secret. They run as their own accounts, and verify ID tokens with
# Google's public keys.
#
# Terraform creates the secret and never sees its content, because more people may read Terraform's
# state than may know a key. `python -m infra.build.signing_keys` makes the versions
# (infra/docs/deploy.md, "The signing keys"). The first version must exist before acquire and
# heartbeat are deployed. access.tf says which functions may read it.

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
