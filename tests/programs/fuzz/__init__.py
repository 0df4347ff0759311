"""The tests' fuzzers, for long runs."""
