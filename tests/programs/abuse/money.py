"""What a flood costs a day, by the list prices and the operations of the page of costs.

Writes are not counted on the way, but follow from the answers: a seat taken or given back writes its session and its
event, and each commit one document more, which is the counters or a denial.
"""

from collections.abc import Mapping

from infra.pages.billed_operations import OPERATIONS
from infra.pages.costs import (
    BYTES_OF_A_LOGGED_REQUEST,
    BYTES_OF_A_MESSAGE,
    BYTES_OF_AN_EVENT,
    DELETES,
    DELIVERED,
    LOGS,
    MEMORY,
    MEMORY_GIB,
    PUBLISHED,
    READS,
    REQUESTS,
    SECONDS_OF_A_REQUEST,
    VCPU,
    VCPUS,
    WRITES,
)
from tests.programs.abuse.floods import Caused, Flood

DAY_SECONDS = 86_400
_RELAY = OPERATIONS["relay of an audit event"]
_GIB = 2**30


def written(caused: Caused) -> int:
    """Documents written, those that were there before as well."""
    changes = caused.answered("acquire", 201) + caused.answered("release", 204)
    return 2 * changes + caused.calls["Commit"]


def events(caused: Caused) -> float:
    """Audit events. Denials of one user and license are one a minute, and half of the other documents are sessions."""
    if caused.flood is Flood.DENIALS:
        return caused.documents
    return caused.answered("acquire", 201) + caused.answered("release", 204)


def dollars_a_day(caused: Caused) -> Mapping[str, float]:
    """USD, by what causes them. ``service`` is what our functions do, ``requests`` what the platform bills for any."""
    of_a_day = DAY_SECONDS / caused.seconds
    relayed, asked = events(caused), caused.answers.total()
    service = (
        READS.of(caused.calls["documents_read"] + relayed * _RELAY.reads)
        + WRITES.of(written(caused) + relayed * _RELAY.writes)
        + DELETES.of(caused.documents)
        + (PUBLISHED.of(1) + DELIVERED.of(1)) * relayed * BYTES_OF_A_MESSAGE
        + REQUESTS.of(relayed)
        + (VCPU.of(VCPUS) + MEMORY.of(MEMORY_GIB)) * relayed * SECONDS_OF_A_REQUEST
        + LOGS.of(caused.log_bytes / _GIB)
    )
    requests = REQUESTS.of(asked) + LOGS.of(asked * BYTES_OF_A_LOGGED_REQUEST / _GIB)
    return {"service": service * of_a_day, "requests": requests * of_a_day}


def gib_a_day(caused: Caused) -> float:
    """What a day of it leaves in the database."""
    return caused.documents * BYTES_OF_AN_EVENT / _GIB * DAY_SECONDS / caused.seconds
