"""The soak test: half an hour at half of the servers' capacity, in which nothing may grow."""
