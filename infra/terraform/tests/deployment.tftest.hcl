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
    error_message = "Every function of functions.json is deployed, and no other."
  }

  assert {
    condition     = toset(keys(google_cloud_run_v2_service_iam_member.public)) == toset(["acquire", "heartbeat", "keys", "release", "usage"])
    error_message = "Anybody may call the five functions for clients and no other."
  }

  assert {
    condition = alltrue([
      for name, function in google_cloudfunctions2_function.function :
      function.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY" || contains(keys(google_cloud_run_v2_service_iam_member.public), name)
    ])
    error_message = "What clients do not call is not reached from outside."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      function.service_config[0].max_instance_request_concurrency == 1 || tonumber(function.service_config[0].available_cpu) >= 1
    ])
    error_message = "More than one request at a time needs a whole CPU."
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.function : length(function.event_trigger) == 0])
    error_message = "Document events come through triggers of their own, which try again."
  }

  assert {
    condition     = alltrue([for trigger in google_eventarc_trigger.document : length(trigger.retry_policy) == 0])
    error_message = "A retry policy would limit the deliveries of an event."
  }

  assert {
    condition     = alltrue([for name, job in google_cloud_scheduler_job.run : job.schedule == jsondecode(file("../functions.json"))[name].schedule])
    error_message = "A function is called when functions.json says."
  }

  assert {
    condition = toset(keys(google_secret_manager_secret_iam_member.signer)) == toset([
      for name, function in google_cloudfunctions2_function.function : name if length(function.service_config[0].secret_environment_variables) > 0
    ])
    error_message = "Who has the signing keys may read them, and nobody else."
  }

  assert {
    condition     = google_pubsub_topic.audit.message_storage_policy[0].allowed_persistence_regions == toset([var.region])
    error_message = "Audit events are stored in the region."
  }
}
