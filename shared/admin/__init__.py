"""Edits that admins make by hand: reviews of documents, the claims of users, and sessions that an admin deleted."""
