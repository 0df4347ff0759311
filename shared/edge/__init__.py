"""What talks: requests, identity, errors and answers, settings, and the wiring of it all."""
