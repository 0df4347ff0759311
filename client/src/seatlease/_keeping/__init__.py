"""Keeps a seat: the thread in the background, its states, processes that share a seat, exits of the program."""
