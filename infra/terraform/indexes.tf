# The one list of indexes is firestore.indexes.json, in the form that Firebase's own tools read. A test holds it and the
# queries in shared/documents/queries.py together; here it is made.
#
# A field in "fieldOverrides" has exactly the single-field indexes that stand there, and with "ttl" Firestore deletes
# documents some time after what the field says.
#   with indexes       a query looks at this one field of all organizations
#   without indexes    nothing looks for it alone, and an index would cost. Either its values only grow, so that every
#                      write goes to the same end of the index, which Firestore serves 500 times a second
#                      (lease_expires_at and last_heartbeat_at with every heartbeat, purge_at, published_at, updated_at);
#                      or it is a map or a list, of which every entry would be indexed (details, by_license, and what
#                      reviews remember); or a number that nobody looks for (grants, seal). Nobody can sort by these in
#                      the console either.
# audit_events.at and grant_number only grow as well, but a query needs each: up to 500 events a second and organization.
# The collections lie below their organizations, so these are limits of one organization, but for the indexes over all.

locals {
  index_definitions = jsondecode(file("${path.module}/../firestore.indexes.json"))

  composite_indexes = {
    for index in local.index_definitions.indexes :
    join("-", concat([index.collectionGroup, lower(index.queryScope)], [for field in index.fields : field.fieldPath])) => index
  }

  field_overrides = {
    for override in local.index_definitions.fieldOverrides :
    "${override.collectionGroup}-${override.fieldPath}" => {
      collection = override.collectionGroup
      field      = override.fieldPath
      indexes    = override.indexes
      ttl        = try(override.ttl, false)
    }
  }
}

resource "google_firestore_index" "composite" {
  for_each = local.composite_indexes

  database    = google_firestore_database.seats.name
  collection  = each.value.collectionGroup
  query_scope = each.value.queryScope

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value.fieldPath
      order      = fields.value.order
    }
  }

  lifecycle {
    replace_triggered_by = [google_firestore_database.seats.uid]
  }
}

resource "google_firestore_field" "override" {
  for_each = local.field_overrides

  database   = google_firestore_database.seats.name
  collection = each.value.collection
  field      = each.value.field

  index_config {
    dynamic "indexes" {
      for_each = each.value.indexes
      content {
        query_scope = indexes.value.queryScope
        order       = indexes.value.order
      }
    }
  }

  dynamic "ttl_config" {
    for_each = each.value.ttl ? [true] : []
    content {}
  }

  lifecycle {
    replace_triggered_by = [google_firestore_database.seats.uid]
  }
}
