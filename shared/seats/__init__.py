"""The operations on seats, a module each, and what they share: counters, endings, denials."""
