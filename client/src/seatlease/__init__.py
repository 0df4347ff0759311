"""Floating licenses: a seat while your program works, and not one too many."""
