"""The contracts that clients and subscribers rely on, and the programs that write them from the models."""
