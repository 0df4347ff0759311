"""Speaks to Firestore: reads, queries, commits, retries, group commit. It knows no seat and no document of ours."""
