# Firestore's indexes and TTL policies. firestore.indexes.json lists all of them, in the form that
# Firebase's own tools read. A test compares the list with the queries in shared/documents/queries.py.
#
# A field in "fieldOverrides" has exactly the single-field indexes that are listed there. With
# "ttl", Firestore deletes a document some time after the time in that field.
#   with indexes       a query looks for this field alone, over all organizations
#   without indexes    no query looks for this field alone, and an index would cost something:
#                      - Values that only grow write to the same end of an index, which Firestore
#                        serves 500 times a second: lease_expires_at and last_heartbeat_at (every
#                        heartbeat), purge_at, published_at, updated_at, and the times of a place
#                        in the line.
#                      - Every entry of a map or a list would be indexed: details, by_license,
#                        by_pool, line_until, groups, and what reviews remember.
#                      - No query looks for the other fields. Each entry makes a write slower.
#                      Without an index, the console cannot sort by a field.
#
# audit_events.at and grant_number only grow too, but queries need both. So an organization can have
# up to 500 events a second. Collections lie below their organization, so these limits hold for each
# organization. The indexes over all organizations begin with a shard, or are hardly written to.

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

  # Over a large collection an index takes longer than the provider's 20 minutes. The provider then
  # forgets it, and the next apply finds that it exists.
  timeouts {
    create = "6h"
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
        query_scope  = indexes.value.queryScope
        order        = try(indexes.value.order, null)
        array_config = try(indexes.value.arrayConfig, null)
      }
    }
  }

  dynamic "ttl_config" {
    for_each = each.value.ttl ? [true] : []
    content {}
  }

  timeouts {
    create = "6h"
    update = "6h"
  }

  lifecycle {
    replace_triggered_by = [google_firestore_database.seats.uid]
  }
}
