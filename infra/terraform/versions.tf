terraform {
  # A variable's validation looks at another variable.
  required_version = ">= 1.9"

  required_providers {
    # What is known of it offline is the schema of 8.7 (infra/terraform/offline/google-schema.json), so no other is let in: a build
    # takes the newest that fits, with the rights to change everything.
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

  # What a bill can be split by.
  default_labels = {
    app         = "seatlease"
    environment = var.environment
  }
}

# Read while planning, so before anything is switched on: this needs the Resource Manager's API already.
data "google_project" "this" {
  project_id = var.project_id
}
