"""Testing: a fake license service without a network, for the tests of programs that use a seat.

::

    def test_my_program_saves_its_work_when_its_seat_is_revoked():
        service = FakeService(seats=1)
        with service.seat() as seat:
            service.revoke()
            assert seat.heartbeat() is seatlease.State.REVOKED

It answers as the real one does: the same tests run against both. ``advance`` moves its clock, so that leases run out.
Call ``heartbeat`` to let the seat notice.
"""

from seatlease.testing.service import FakeService

__all__ = ["FakeService"]
