"""Access to Firestore: reads, queries, commits, retries, group commit. It knows nothing of seats or our documents."""
