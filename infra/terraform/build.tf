# From the archives that `python -m infra.build.stage` wrote to the functions' images.

locals {
  build_folder = coalesce(var.build_folder, "${path.module}/../../build")

  # The archive of each function. Its name has a hash of its content, so a function that did not
  # change keeps its archive's name, and its revision.
  archives = jsondecode(file("${local.build_folder}/manifest.json"))
}

resource "google_storage_bucket" "sources" {
  name     = "${var.project_id}-seatlease-sources"
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  # Everything in it can be staged again from the repository.
  force_destroy = true

  depends_on = [google_project_service.api]
}

resource "google_storage_bucket_object" "source" {
  for_each = local.triggers

  bucket = google_storage_bucket.sources.name
  name   = local.archives[each.key]
  source = "${local.build_folder}/${local.archives[each.key]}"

  # The function moves to the new archive before the old one goes.
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_artifact_registry_repository" "images" {
  repository_id = "seatlease"
  description   = "The functions' images, built by Cloud Build."
  location      = var.region
  format        = "DOCKER"

  # Enough to go back some releases. Each of sixteen functions has an image of a few hundred megabytes.
  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 5
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "2592000s"
    }
  }

  depends_on = [google_project_service.api]
}
