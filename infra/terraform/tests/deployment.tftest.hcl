# What must hold in every environment. Terraform itself checks it, against a mock of the provider.
# Stage the functions first (make stage). Then run, in the folder of the .tf files:
#   terraform test -var-file=environments/production.tfvars
# or, without the real provider, in the root folder of the repository:
#   python -m infra.terraform.offline terraform test -var-file=environments/production.tfvars
# tests/infra/test_terraform.py and the tests beside it do the second, and check the whole plan too.

mock_provider "google" {
  mock_data "google_project" {
    defaults = {
      number = "123456789012"
    }
  }
}

variables {
  project_id = "demo-seatlease"
  # The key of RFC 8037's examples. Its secret is published.
  public_keys = {
    keys = [{
      kty = "OKP", crv = "Ed25519", x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
      kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", use = "sig", alg = "EdDSA"
    }]
  }
}

run "deployment" {
  command = plan

  assert {
    condition     = toset(keys(google_cloudfunctions2_function.function)) == toset(keys(jsondecode(file("../functions.json"))))
    error_message = "Terraform must deploy exactly the functions of functions.json."
  }

  assert {
    condition     = toset(keys(google_cloud_run_v2_service_iam_member.public)) == toset(["acquire", "heartbeat", "history", "invitations", "join", "keys", "members", "release", "usage"])
    error_message = "Exactly the nine client functions must be public."
  }

  assert {
    condition = alltrue([
      for name, function in google_cloudfunctions2_function.function :
      function.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY" || contains(keys(google_cloud_run_v2_service_iam_member.public), name)
    ])
    error_message = "A function that clients do not call must not be reachable from outside."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      function.service_config[0].max_instance_request_concurrency == 1 || tonumber(function.service_config[0].available_cpu) >= 1
    ])
    error_message = "A function with more than one request at a time must have a whole CPU."
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.function : length(function.event_trigger) == 0])
    error_message = "A function must not have a built-in event trigger: separate Eventarc triggers deliver and retry document events."
  }

  assert {
    condition     = alltrue([for trigger in google_eventarc_trigger.document : length(trigger.retry_policy) == 0])
    error_message = "A document trigger must not have a retry policy, which would limit the deliveries of an event."
  }

  assert {
    condition     = alltrue([for name, job in google_cloud_scheduler_job.run : job.schedule == jsondecode(file("../functions.json"))[name].schedule])
    error_message = "Each scheduled function must have the schedule of functions.json."
  }

  assert {
    condition = toset(keys(google_secret_manager_secret_iam_member.signer)) == toset([
      for name, function in google_cloudfunctions2_function.function : name if length(function.service_config[0].secret_environment_variables) > 0
    ])
    error_message = "Exactly the functions that use the signing keys must be able to read the secret."
  }

  assert {
    condition     = google_pubsub_topic.audit.message_storage_policy[0].allowed_persistence_regions == toset([var.region])
    error_message = "The audit topic must store its events in the region only."
  }
}
