"""The audit trail on its way out: the published form, the relay, the topic."""
