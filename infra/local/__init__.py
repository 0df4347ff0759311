"""The local stack: Google's emulators and the functions, all on one machine."""
