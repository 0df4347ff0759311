"""The benchmark: the functions' speed on this machine, compared with an empty function and with a locking function.

``python -m tests.programs.bench --help``. Its figures depend on the machine and on what else runs there. So it judges
ratios, each taken between two measurements of the same round.
"""
