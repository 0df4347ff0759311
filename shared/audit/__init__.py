"""Publishes the audit trail: the form of a message, the relay, and the Pub/Sub topic."""
