"""The contracts with clients and subscribers, and the programs that generate them from the models."""
