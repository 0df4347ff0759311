"""The benchmark: what the functions can do on this machine, beside an empty function and beside locks.

``python -m tests.programs.bench --help``. Its figures depend on the machine and on what else runs there. So it judges
ratios, each taken between two measurements of the same round.
"""
