"""What deploys the functions, and what runs them on one machine."""
