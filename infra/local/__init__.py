"""The local stack: Google's own emulators and the functions as the platform serves them, on one machine."""
