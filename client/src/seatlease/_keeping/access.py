"""Access: the way to one seat. All processes of the same user on this device share it."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

from seatlease._keeping.borrowed import BorrowedSeat
from seatlease._keeping.pacing import wait_seconds
from seatlease._keeping.sharing import Sharing, seat_name
from seatlease._service import clock
from seatlease._service.clock import elapsed
from seatlease._service.keys import Keys
from seatlease._service.lease_token import CLOCK_LEEWAY, verify
from seatlease._service.service import REQUEST_WITHIN_SECONDS, Service
from seatlease.errors import (
    BorrowTooLong,
    InLine,
    LeaseNotProven,
    NotEntitled,
    RequestRefused,
    SeatleaseError,
    ServiceUnreachable,
    SessionLost,
    SessionRevoked,
)
from seatlease.lease import Lease

logger = logging.getLogger("seatlease")


MEND_WITHOUT_ENDING = "LICENSE_MISCONFIGURED"
"""An admin's mistake ends no session: the lease gives time to correct it."""

USER_WITHIN_SECONDS = 3.0
"""How long a start with a borrowed seat waits for the user's sign-in. Without an answer it goes on."""

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    url: str
    license_key: str
    hardware_id: str
    keys: Keys | None = None
    borrow: timedelta | datetime | None = None


class Access:
    """Connects and joins at the first need. ``leave`` undoes both, and it may begin again."""

    def __init__(self, wanted: Wanted, *, connect: Callable[[], Service]) -> None:
        self._wanted = wanted
        self._connect = connect
        self._connected: Service | None = None
        self._sharing: Sharing | None = None
        self._instance_id = ""
        self._place: str | None = None
        self._has_line = True
        self._borrowed = BorrowedSeat(url=wanted.url, license_key=wanted.license_key)

    @property
    def borrows(self) -> bool:
        return self._wanted.borrow is not None

    async def acquire(self, *, borrow: bool = False, wait_until: datetime | None = None) -> Lease:
        """Ask for a seat once. A cancelled call gives back what was granted meanwhile, however often it is cancelled.

        With ``wait_until``, take a place in the line or keep it: ``leave`` gives it up. With ``borrow``, the seat is
        borrowed for as long as is wanted, and kept on this machine.

        Raises:
            SeatleaseError: as ``Service.acquire``.
        """
        await self._join()
        asking = asyncio.ensure_future(self._acquire(borrow=borrow and self.borrows, wait_until=wait_until))
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
        # Done before, but for a process that has its lease from its parent, or from the files of a borrowed seat.
        sharing = await self._join()
        if active_at is not None:
            active_at = await _off_loop(sharing.last_active_at, active_at)
        try:
            kept = await self._service().heartbeat(
                lease,
                hardware_id=self._wanted.hardware_id,
                instance_id=self._instance_id,
                idle_seconds=None if active_at is None else max(0, int(elapsed() - active_at)),
            )
        except (SessionLost, SessionRevoked, NotEntitled) as over:
            if over.code != MEND_WITHOUT_ENDING:
                await self._note_borrow(lease, None)
            raise
        await self._note_borrow(lease, kept)
        return kept

    async def note(self, active_at: float) -> None:
        """Tell the processes that share the seat when this one's user was last active."""
        if self._sharing is not None:
            await _off_loop(self._sharing.note, active_at)

    async def leave(self, lease: Lease | None, *, within_seconds: float) -> None:
        """Stop sharing the seat, leave it if no other process uses it, and close the connections.

        A borrowed seat is not given back: the next start goes on with it. Never raises because an answer is missing: a
        seat not given back becomes free when its lease runs out.
        """
        await _to_its_end(self._leave(lease, within_seconds=within_seconds))

    async def resumed(self) -> Lease | None:
        """Give the lease of the seat that this machine has borrowed, without asking the service; ``None`` without one.

        Raises:
            LeaseNotProven: there is one, and it is not proven now, or it is another user's.
        """
        if await _off_loop(self._borrowed.kept) is None:
            return None
        user = None
        # Without a network a sign-in may not be had. Then this machine's account is all that says who it is.
        with contextlib.suppress(SeatleaseError, asyncio.TimeoutError):
            user = await asyncio.wait_for(self._service().user(), USER_WITHIN_SECONDS) or None
        wanted = self._wanted
        return await _off_loop(lambda: self._borrowed.lease(wanted.keys, hardware_id=wanted.hardware_id, user=user))

    async def give_back(self, lease: Lease | None, *, within_seconds: float) -> None:
        """Give the seat back, also a borrowed one of an earlier start. First its token is removed.

        Raises:
            SeatleaseError: the service has not agreed. Ask again: what is needed for that is kept.
            RequestRefused: the token cannot be removed, so the seat was not given back.
        """
        kept = await _off_loop(self._borrowed.kept)
        try:
            await _off_loop(self._borrowed.forget_token)
        except OSError as error:
            message = f"The borrowed seat cannot be removed from this machine ({type(error).__name__}). It stays yours."
            raise RequestRefused(message) from error
        session_id = lease.session_id if lease is not None else kept.session_id if kept is not None else None
        instance_id = self._instance_id or (None if kept is None else kept.instance_id)
        try:
            if session_id is not None:
                with contextlib.suppress(SessionLost, SessionRevoked):  # it had ended before
                    service = self._service()
                    await _release(service, session_id, instance_id=instance_id, within_seconds=within_seconds)
            with contextlib.suppress(OSError):
                await _off_loop(self._borrowed.forget)
        finally:
            await self.leave(None, within_seconds=within_seconds)

    async def _acquire(self, *, borrow: bool, wait_until: datetime | None) -> Lease:
        try:
            lease = await self._ask(_until(self._wanted.borrow) if borrow else None, wait_until)
        except BorrowTooLong as refused:
            until = _until(self._wanted.borrow)
            # For a time from now on, this machine's clock may be a little ahead of the service's.
            if (
                isinstance(self._wanted.borrow, datetime)
                or until is None
                or refused.latest_until < until - CLOCK_LEEWAY
            ):
                raise
            lease = await self._ask(refused.latest_until, wait_until)
        if not borrow:
            await self._note_borrow(None, lease)
            return lease
        try:
            await self._keep(lease)
        except (LeaseNotProven, ServiceUnreachable, OSError) as error:
            # What cannot be used without a network must not be away, unless an earlier borrow of it can.
            if await _off_loop(self._borrowed.kept) is None:
                with contextlib.suppress(SeatleaseError):
                    await _release(
                        self._service(),
                        lease.session_id,
                        instance_id=self._instance_id,
                        within_seconds=REQUEST_WITHIN_SECONDS,
                    )
            if isinstance(error, SeatleaseError):
                raise
            message = f"The seat was not borrowed: it cannot be kept on this machine ({type(error).__name__})."
            raise RequestRefused(message) from error
        return lease

    async def _ask(self, borrow_until: datetime | None, wait_until: datetime | None) -> Lease:
        try:
            lease = await self._service().acquire(
                self._wanted.license_key,
                hardware_id=self._wanted.hardware_id,
                instance_id=self._instance_id,
                borrow_until=borrow_until,
                wait_until=wait_until if self._has_line else None,
            )
        except InLine as place:
            self._place = place.session_id
            raise
        except RequestRefused as refused:
            if wait_until is None or not self._has_line or "wait_until" not in _fields_of(refused):
                raise
            # The service is too old to have a line, or the clocks differ by more than the wait.
            self._has_line = False
            return await self._ask(borrow_until, None)
        self._place = None
        return lease

    async def _note_borrow(self, before: Lease | None, after: Lease | None) -> None:
        """Keep what the latest answer says of a borrowed seat. Without a file the program goes on all the same."""
        try:
            if after is not None and after.borrowed_until is not None:
                await self._keep(after)
            elif before is None or before.borrowed_until is not None:
                kept = await _off_loop(self._borrowed.kept)
                if kept is not None and kept.session_id in {each.session_id for each in (before, after) if each}:
                    await _off_loop(self._borrowed.forget)
        except (SeatleaseError, OSError) as error:
            logger.warning("the borrowed seat is not kept up to date on this machine: %s", error)

    async def _keep(self, lease: Lease) -> None:
        """Keep a borrowed lease that the keys prove: the program's, or else those that the service shows.

        Raises:
            LeaseNotProven: it could not be proven without a network.
            ServiceUnreachable: the keys cannot be had.
            OSError: it cannot be written.
        """
        wanted, kept = self._wanted, await _off_loop(self._borrowed.kept)
        keys = wanted.keys
        if keys is None and kept is not None:
            with contextlib.suppress(ValueError, LeaseNotProven):
                remembered = Keys.pinned(kept.jwks)
                self._prove(lease, remembered)
                keys = remembered
        if keys is None:
            keys = await self._service().keys()
        self._prove(lease, keys)
        await _off_loop(
            lambda: self._borrowed.save(lease, hardware_id=wanted.hardware_id, instance_id=self._instance_id, keys=keys)
        )

    def _prove(self, lease: Lease, keys: Keys) -> None:
        if lease.lease_token is None or lease.borrowed_until is None:
            message = "The license service is too old to lend a seat."
            raise LeaseNotProven(message)
        hardware_id, license_key = self._wanted.hardware_id, self._wanted.license_key
        verify(lease.lease_token, keys, hardware_id=hardware_id, license_key=license_key, now=lease.server_time)

    async def _is_borrowed(self, lease: Lease) -> bool:
        """Whether the seat is borrowed now. Another program may have borrowed it since the last heartbeat."""
        if elapsed() < lease.borrowed_until_elapsed:
            return True
        kept = await _off_loop(self._borrowed.kept)
        return kept is not None and kept.session_id == lease.session_id and clock.now() < kept.until

    async def _give_back(self, asking: "asyncio.Future[Lease]") -> None:
        with contextlib.suppress(SeatleaseError):
            await self.leave(await asking, within_seconds=REQUEST_WITHIN_SECONDS)

    async def _leave(self, lease: Lease | None, *, within_seconds: float) -> None:
        sharing, self._sharing = self._sharing, None
        service, self._connected = self._connected, None
        place, self._place = self._place, None
        loop = asyncio.get_running_loop()
        leaving = None if sharing is None else sharing.leaving(within_seconds=within_seconds)
        is_last = leaving is None or await loop.run_in_executor(None, leaving.__enter__)
        try:
            if lease is not None and service is not None and is_last and not await self._is_borrowed(lease):
                instance_id = None if sharing is None else self._instance_id
                await _release(service, lease.session_id, instance_id=instance_id, within_seconds=within_seconds)
            elif lease is None and place is not None and service is not None and is_last:
                await _release(service, place, instance_id=self._instance_id, within_seconds=within_seconds)
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
        await _off_loop(sharing.join)
        # The service remembers an instance for as long as its lease. Another id would be one program more.
        kept = await _off_loop(self._borrowed.kept)
        self._sharing, self._instance_id = sharing, sharing.instance_id if kept is None else kept.instance_id


def _until(borrow: timedelta | datetime | None) -> datetime | None:
    """Give the time until when to borrow. A time without a zone is one of this machine's zone."""
    if isinstance(borrow, timedelta):
        return clock.now() + borrow
    return None if borrow is None else borrow.astimezone(timezone.utc)


def _fields_of(refused: RequestRefused) -> set[object]:
    """Name the fields that the service could not read."""
    fields = refused.details.get("fields")
    return {each.get("field") for each in fields if isinstance(each, dict)} if isinstance(fields, list) else set()


async def _off_loop(call: Callable[..., _T], *arguments: object) -> _T:
    return await asyncio.get_running_loop().run_in_executor(None, call, *arguments)


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
