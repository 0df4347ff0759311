"""What the functions share: rules decide, store remembers, edge talks."""
