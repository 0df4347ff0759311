"""From the code to a deployment: staging, locked dependencies, triggers, signing keys."""
