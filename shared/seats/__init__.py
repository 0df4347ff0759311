"""The operations on seats, one module each, and their common parts: counters, endings, denials."""
