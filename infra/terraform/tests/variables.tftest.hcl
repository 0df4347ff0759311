# What the variables change, and which values they refuse. deployment.tftest.hcl says how to run it.

mock_provider "google" {
  mock_data "google_project" {
    defaults = {
      number = "123456789012"
    }
  }
}

variables {
  project_id  = "demo-seatlease"
  environment = "production"
  # The key of RFC 8037's examples. Its secret is published.
  public_keys = {
    keys = [{
      kty = "OKP", crv = "Ed25519", x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
      kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", use = "sig", alg = "EdDSA"
    }]
  }
}

run "a_database_is_protected_unless_said" {
  command = plan

  assert {
    condition = (
      google_firestore_database.seats.delete_protection_state == "DELETE_PROTECTION_ENABLED" &&
      google_firestore_database.seats.deletion_policy == "ABANDON" &&
      google_firestore_database.seats.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_ENABLED"
    )
    error_message = "A protected database must have delete protection and point-in-time recovery."
  }
}

run "a_database_of_its_own_in_a_multi_region" {
  command = plan

  variables {
    database          = "seats"
    database_location = "eur3"
  }

  assert {
    condition     = google_firebaserules_release.firestore.name == "cloud.firestore/seats"
    error_message = "The security rules must be released for the database."
  }

  assert {
    condition     = alltrue([for trigger in google_eventarc_trigger.document : trigger.location == "eur3"])
    error_message = "Each document trigger must be in the database's location."
  }

  assert {
    condition = alltrue([
      for right in google_project_iam_member.database :
      right.condition[0].expression == "resource.name == \"projects/demo-seatlease/databases/seats\""
    ])
    error_message = "The functions must have access to this database only."
  }
}

run "behind_a_load_balancer_no_function_has_a_public_address" {
  command = plan

  variables {
    ingress = "internal-and-gclb"
  }

  assert {
    condition = alltrue([
      for name, function in google_cloudfunctions2_function.function :
      function.service_config[0].ingress_settings == (contains(keys(google_cloud_run_v2_service_iam_member.public), name) ? "ALLOW_INTERNAL_AND_GCLB" : "ALLOW_INTERNAL_ONLY")
    ])
    error_message = "The client functions must be reachable through a load balancer only, and the others from inside only."
  }
}

run "an_ingress_is_one_of_two" {
  command = plan

  variables {
    ingress = "internal"
  }

  expect_failures = [var.ingress]
}

run "an_environment_is_one_of_three" {
  command = plan

  variables {
    environment = "test"
  }

  expect_failures = [var.environment]
}

run "there_is_a_key_to_verify_with" {
  command = plan

  variables {
    public_keys = { keys = [] }
  }

  expect_failures = [google_cloudfunctions2_function.function]
}

# The first apply of an empty project, on the deploy page: what needs minutes before the rest can use
# it. It needs no signing key.
run "the_first_stage_needs_no_key" {
  command = plan

  plan_options {
    target = [
      google_project_service.api,
      google_firestore_database.seats,
      google_firestore_index.composite,
      google_firestore_field.override,
      google_logging_metric.counted,
      google_logging_metric.events_left,
      google_logging_metric.failed_calls,
      google_project_iam_member.claim_setter,
      google_project_iam_member.build,
      google_project_iam_member.database,
      google_project_iam_member.events,
      google_artifact_registry_repository_iam_member.build,
      google_secret_manager_secret_iam_member.signer,
    ]
  }

  variables {
    public_keys = { keys = [] }
  }

  assert {
    condition     = google_secret_manager_secret.signing_keys.secret_id == "seatlease-signing-keys"
    error_message = "The secret must exist before it has a first version."
  }

  assert {
    condition     = length(google_logging_metric.counted) > 0 && length(google_project_iam_member.build) > 0
    error_message = "The metrics and the builder's rights must exist some minutes before alerts and functions."
  }
}

run "an_organization_may_forbid_all_users" {
  command = plan

  variables {
    grant_all_users = false
  }

  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.public) == 0
    error_message = "Without grant_all_users no right may be granted to everybody."
  }
}

run "the_metrics_need_the_lines_of_refusals" {
  command = plan

  variables {
    log_level = "WARNING"
  }

  expect_failures = [var.log_level]
}

run "addresses_are_kept_in_one_of_three_ways" {
  command = plan

  variables {
    client_addresses = "short"
  }

  expect_failures = [var.client_addresses]
}

run "an_address_is_told_by_one_of_two_headers" {
  command = plan

  variables {
    address_header = "X-Real-IP"
  }

  expect_failures = [var.address_header]
}

run "a_web_page_on_the_users_own_machine_is_refused_outside_development" {
  command = plan

  variables {
    allowed_origins = ["https://app.example.com", "http://localhost:3000"]
  }

  expect_failures = [var.allowed_origins]
}

run "only_functions_for_clients_know_which_web_pages_may_call" {
  command = plan

  variables {
    environment     = "development"
    allowed_origins = ["https://app.example.com", "http://localhost:3000"]
  }

  assert {
    condition = {
      for name, function in google_cloudfunctions2_function.function :
      name => lookup(function.service_config[0].environment_variables, "SEATLEASE_ALLOWED_ORIGINS", null)
      if lookup(function.service_config[0].environment_variables, "SEATLEASE_ALLOWED_ORIGINS", null) != null
    } == { for name in local.for_clients : name => "https://app.example.com,http://localhost:3000" }
    error_message = "Each function for clients, and no other, must get the allowed origins."
  }
}
