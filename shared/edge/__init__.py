"""The HTTP side: requests, identity, answers and errors, document events, settings, logs, and the wiring."""
