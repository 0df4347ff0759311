# The versions of Terraform and of the provider, the provider's settings, and where the state is.

terraform {
  # Builds use the version in cloudbuild.yaml.
  required_version = ">= 1.9"

  required_providers {
    # The offline checks know the schema of 8.7 only (infra/terraform/offline/google-schema.json). A build
    # installs the newest version that fits, and runs with rights to change everything. So no other
    # version is allowed.
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7.0"
    }
  }

  # Each environment keeps its state in its own project:
  #   terraform init -backend-config="bucket=$PROJECT-terraform" -backend-config="prefix=seatlease"
  backend "gcs" {}
}

provider "google" {
  project = var.project_id
  region  = var.region

  # Requests count against this project's quota, and not against the quota of the account that asks.
  # Firebase's APIs refuse a person's credentials without it. The account that deploys does not need
  # it, and has the right to use it (serviceusage.services.use).
  user_project_override = true
  billing_project       = var.project_id

  # Labels to split a bill by.
  default_labels = {
    app         = "seatlease"
    environment = var.environment
  }
}

# Terraform reads this while it plans, before it switches on any API. So the Resource Manager's API
# must be on already.
data "google_project" "this" {
  project_id = var.project_id
}
