"""What leads from the code to what is deployed: staging, triggers, signing keys."""
