"""The soak: at half of what the servers can do, for half an hour, nothing may grow."""
