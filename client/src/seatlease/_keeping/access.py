"""Access: the way to one seat. All processes of the same user on this device share it."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from seatlease._keeping.pacing import wait_seconds
from seatlease._keeping.sharing import Sharing, seat_name
from seatlease._service.clock import elapsed
from seatlease._service.service import REQUEST_WITHIN_SECONDS, Service
from seatlease.errors import SeatleaseError, ServiceUnreachable
from seatlease.lease import Lease

logger = logging.getLogger("seatlease")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    url: str
    license_key: str
    hardware_id: str


class Access:
    """Connects and joins at the first need. ``leave`` undoes both, and it may begin again."""

    def __init__(self, wanted: Wanted, *, connect: Callable[[], Service]) -> None:
        self._wanted = wanted
        self._connect = connect
        self._connected: Service | None = None
        self._sharing: Sharing | None = None

    async def acquire(self) -> Lease:
        """Ask for a seat once. A cancelled call gives back what was granted meanwhile, however often it is cancelled.

        Raises:
            SeatleaseError: as ``Service.acquire``.
        """
        sharing, wanted = await self._join(), self._wanted
        asking = asyncio.ensure_future(
            self._service().acquire(
                wanted.license_key, hardware_id=wanted.hardware_id, instance_id=sharing.instance_id
            ),
        )
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            await _to_its_end(self._give_back(asking))
            raise

    async def heartbeat(self, lease: Lease, *, active_at: float | None = None) -> Lease:
        """Send one heartbeat. ``active_at`` is when this program's user was last active, if it says so.

        Raises:
            SeatleaseError: as ``Service.heartbeat``.
        """
        sharing = await self._join()  # done before, but for a process that has its lease from its parent
        if active_at is not None:
            active_at = await asyncio.get_running_loop().run_in_executor(None, sharing.last_active_at, active_at)
        return await self._service().heartbeat(
            lease,
            hardware_id=self._wanted.hardware_id,
            instance_id=sharing.instance_id,
            idle_seconds=None if active_at is None else max(0, int(elapsed() - active_at)),
        )

    async def note(self, active_at: float) -> None:
        """Tell the processes that share the seat when this one's user was last active."""
        if self._sharing is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._sharing.note, active_at)

    async def leave(self, lease: Lease | None, *, within_seconds: float) -> None:
        """Stop sharing the seat, leave it if no other process uses it, and close the connections.

        Never raises because an answer is missing: a seat not given back becomes free when its lease runs out.
        """
        await _to_its_end(self._leave(lease, within_seconds=within_seconds))

    async def _give_back(self, asking: "asyncio.Future[Lease]") -> None:
        with contextlib.suppress(SeatleaseError):
            await self.leave(await asking, within_seconds=REQUEST_WITHIN_SECONDS)

    async def _leave(self, lease: Lease | None, *, within_seconds: float) -> None:
        sharing, self._sharing = self._sharing, None
        service, self._connected = self._connected, None
        loop = asyncio.get_running_loop()
        leaving = None if sharing is None else sharing.leaving(within_seconds=within_seconds)
        is_last = leaving is None or await loop.run_in_executor(None, leaving.__enter__)
        try:
            if lease is not None and service is not None and is_last:
                instance_id = None if sharing is None else sharing.instance_id
                await _release(service, lease.session_id, instance_id=instance_id, within_seconds=within_seconds)
        except SeatleaseError as error:
            logger.info("the seat was not given back; it becomes free when its lease runs out: %s", error.message)
        finally:
            if leaving is not None:
                await loop.run_in_executor(None, leaving.__exit__, None, None, None)
            if service is not None:
                await service.aclose()

    def _service(self) -> Service:
        if self._connected is None:
            self._connected = self._connect()
        return self._connected

    async def _join(self) -> Sharing:
        if self._sharing is not None:
            return self._sharing
        wanted, user = self._wanted, await self._service().user()
        name = seat_name(url=wanted.url, license_key=wanted.license_key, hardware_id=wanted.hardware_id, user=user)
        # A share that nobody knows of would make everybody else believe not to be the last.
        sharing = Sharing(name)
        await _to_its_end(self._join_as(sharing))
        return sharing

    async def _join_as(self, sharing: Sharing) -> None:
        await asyncio.get_running_loop().run_in_executor(None, sharing.join)
        self._sharing = sharing


async def _release(service: Service, session_id: str, *, instance_id: str | None, within_seconds: float) -> None:
    """Give the seat back. If the service asks to be asked again, do so within the time.

    Many programs of one user that end at once are too many requests at a time. Their seats must not stay in use.
    """
    give_up_at = elapsed() + within_seconds
    while True:
        try:
            await service.release(session_id, instance_id=instance_id, within_seconds=give_up_at - elapsed())
        except ServiceUnreachable as error:
            if error.retry_after is None:
                raise
            pause = wait_seconds(error.retry_after)
            if pause >= give_up_at - elapsed():
                raise
        else:
            return
        await asyncio.sleep(pause)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Run the work to its end, even if the waiting task is cancelled. The cancellation takes effect afterwards."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        raise
