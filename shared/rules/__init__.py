"""The seat rules: pure decisions about records. No clock, no network, no Google library, no pydantic."""
