"""The seat rules: pure decisions about records, without clock, network, Google library or pydantic."""
