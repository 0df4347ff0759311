"""The stored documents: paths, forms, queries, reading and writing, and work over all organizations."""
