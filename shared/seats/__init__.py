"""The operations on seats, one module each, and their common parts, such as counters and endings."""
