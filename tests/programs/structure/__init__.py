"""The structure of the product, measured: ``python -m tests.programs.structure``.

It prints the rooms of ``shared`` with their imports and levels, and the files that one acquire passes through.
"""
