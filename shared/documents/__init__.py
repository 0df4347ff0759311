"""What is stored where, and how it is read and written: paths, forms, queries, and work over all organizations."""
