"""The fuzzers of the tests, for longer than a run of the tests has time for."""
