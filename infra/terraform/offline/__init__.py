"""Terraform without its provider: what the provider knows of its resources, served to the real terraform program."""
