"""The parts of the benchmark, each of which can be measured alone."""

from enum import StrEnum


class Part(StrEnum):
    """What belongs together, on an emulator of its own; in the order in which they are measured."""

    START = "start"
    REQUESTS = "requests"
    PROCESSES = "processes"
    EXPIRE = "expire"
    STORE20 = "store20"
    MANY = "many"
