# A project with a Firebase app in it: the app has the default database with its rules, and a Hosting
# site. Seatlease gets a database of its own. deployment.tftest.hcl says how to run it.

mock_provider "google" {
  mock_data "google_project" {
    defaults = {
      number = "123456789012"
    }
  }
}

variables {
  project_id  = "demo-seatlease"
  database    = "seatlease"
  environment = "production"
  # The key of RFC 8037's examples. Its secret is published.
  public_keys = {
    keys = [{
      kty = "OKP", crv = "Ed25519", x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
      kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", use = "sig", alg = "EdDSA"
    }]
  }
}

run "a_database_of_our_own" {
  command = plan

  assert {
    condition     = google_firestore_database.seats.name == "seatlease"
    error_message = "The database must be our own."
  }

  assert {
    condition     = google_firebaserules_release.firestore.name == "cloud.firestore/seatlease"
    error_message = "The rules must be released for our database only."
  }
}
