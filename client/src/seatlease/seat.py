"""Seat: the class that programs use. ``AsyncSeat`` is for programs with an asyncio loop."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from concurrent.futures import Future
from datetime import datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING

import httpx

from seatlease._keeping import exits
from seatlease._keeping.access import Access, Wanted
from seatlease._keeping.engine import engine, running_engine
from seatlease._keeping.keeper import Keeper
from seatlease._keeping.standing import Standing
from seatlease._service.address import base_of
from seatlease._service.clock import elapsed
from seatlease._service.credentials import CredentialsLike, as_credentials
from seatlease._service.device import hardware_id as this_device
from seatlease._service.lease_token import Keys
from seatlease._service.license_key import given_key
from seatlease._service.service import MAX_IDLE_SECONDS, REQUEST_WITHIN_SECONDS, Service
from seatlease.errors import SeatleaseError, WaitCancelled
from seatlease.events import Change, Waiting
from seatlease.lease import AT_WORK, Feature, Lease, State

if TYPE_CHECKING:
    from typing_extensions import Self  # in typing from Python 3.11 on

CLOSE_WITHIN_SECONDS = 5.0
"""The longest time to give a seat back, and once more while another process gives back the same seat."""

HEARTBEAT_WITHIN_SECONDS = REQUEST_WITHIN_SECONDS + 2
"""A caller of ``heartbeat`` waits a little longer than the request may take."""

_CANCELLED = (asyncio.CancelledError, futures.CancelledError)


class _Seat:
    """What both classes have in common. Nothing of it waits."""

    def __init__(  # noqa: PLR0913 every one is named at the call, and all but three have defaults
        self,
        url: str,
        license_key: str,
        *,
        credentials: CredentialsLike,
        wait: timedelta | None = None,
        on_change: Callable[[Change], object] | None = None,
        on_wait: Callable[[Waiting], object] | None = None,
        on_lease: Callable[[Lease], object] | None = None,
        reacquire: bool = True,
        hardware_id: str | None = None,
        keys: Keys | None = None,
        borrow: timedelta | datetime | None = None,
        sigterm: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Describe the seat. Nothing is sent before ``acquire``.

        Args:
            url: the address of the service. It begins with ``https://`` unless it is on this machine.
            license_key: the key of the license. Case, blanks and hyphens of a generated key do not matter.
            credentials: a ``RefreshToken``, a function that returns an ID token, or an ID token, which lasts an hour.
            wait: how long to wait for a seat when all are in use, or when the service does not answer. Without it, an
                answer that passes (a platform that starts, a broken connection) is asked for again for ten seconds.
            on_change: called with each change of the state, in order.
            on_wait: called before each pause while waiting for a seat.
            on_lease: called with each lease granted, also by a heartbeat, for example to save it in a ``LeaseFile``.
            reacquire: whether to ask again for a lost seat, once for each loss.
            hardware_id: the id of this device, instead of ``seatlease.hardware_id``.
            keys: the service's keys. With them, an answer counts only if it is proven to be the service's, to this
                request, and for this license, user and device.
            borrow: borrow the seat for this long, or until this time, to work without a network. It stays this
                device's when the program ends. A later start without ``borrow`` goes on with it.
            sigterm: whether SIGTERM gives the seat back, if the program has no handler of its own.
            transport: what carries the requests, for tests and special networks.
        """
        license_key = given_key(license_key)
        device = hardware_id or this_device(license_key)
        self._wanted = Wanted(url=base_of(url), license_key=license_key, hardware_id=device, keys=keys, borrow=borrow)
        self._credentials = as_credentials(credentials)
        self._wait = wait
        self._on_change = on_change
        self._on_wait = on_wait
        self._on_lease = on_lease
        self._reacquire = reacquire
        self._keys = keys
        self._sigterm = sigterm
        self._transport = transport
        self._keepers: dict[int, Keeper] = {}  # by process: a child of a fork has its parent's, and one of its own
        self._acquiring: set[Future[None]] = set()
        self._cancels = 0
        self._active_at: float | None = None

    def __repr__(self) -> str:
        """Show the service and the state, and nothing secret."""
        return f"<{type(self).__name__} of {self._wanted.url}: {self.state.value}>"

    @property
    def state(self) -> State:
        """The state now. It costs nothing: no request, no waiting."""
        return self._standing().state(at=elapsed())

    @property
    def lease(self) -> Lease | None:
        """The latest lease; ``None`` before the first."""
        return self._standing().lease

    @property
    def features(self) -> Mapping[str, Feature]:
        """What the vendor sold with the license, read-only, as the latest answer says; empty before the first.

        With ``keys``, the service has signed it. It costs nothing, so ask for a feature where it is needed.
        """
        lease = self.lease
        return MappingProxyType({} if lease is None else dict(lease.features))

    @property
    def license_expires_at(self) -> datetime | None:
        """When the license ends, by the service's clock, as the latest answer says; ``None``: never, or not known."""
        lease = self.lease
        return None if lease is None else lease.license_expires_at

    @property
    def borrowed_until(self) -> datetime | None:
        """Until when the seat is borrowed, by the service's clock; ``None`` if it is not. It costs nothing."""
        lease = self.lease
        return None if lease is None or elapsed() >= lease.borrowed_until_elapsed else lease.borrowed_until

    @property
    def error(self) -> SeatleaseError | None:
        """The latest error; ``None`` while heartbeats are answered."""
        return self._standing().trouble

    def check(self) -> None:
        """Return while work may go on (ACTIVE, DEGRADED). It costs nothing: call it before each piece of work.

        Raises:
            SessionIdle: the user had done nothing for too long. Call ``active`` when the user is back.
            SessionLost: there is no seat, or no longer one. Acquire again.
            SessionRevoked: an admin ended it, or the right to it is gone. Stop.
        """
        self._standing().check(at=elapsed())

    def active(self) -> None:
        """Say that the user did something just now. It costs nothing: call it with each key and click.

        From the first call of this or of ``idle``, heartbeats say for how long the user has done nothing. If the
        license took the seat for that (``IDLE``), the client asks for it again, once. Without any call the user is
        never idle.
        """
        self.idle(0)

    def idle(self, for_: timedelta | float) -> None:
        """Say that the user has done nothing for so long (seconds), for programs that ask the operating system.

        The latest activity counts, of ``active`` too. If it came after the seat was taken, this is as ``active``.
        """
        seconds = for_.total_seconds() if isinstance(for_, timedelta) else for_
        active_at = elapsed() - min(max(0.0, seconds), MAX_IDLE_SECONDS)
        self._active_at = active_at if self._active_at is None else max(active_at, self._active_at)
        keeper, engine_ = self._keepers.get(os.getpid()), running_engine()
        if keeper is not None and engine_ is not None and keeper.standing.over is State.IDLE:
            engine_.run(keeper.come_back())

    def cancel(self) -> None:
        """Stop waiting for a seat, from any thread. A waiting ``acquire`` raises ``WaitCancelled``."""
        self._cancels += 1
        for acquiring in list(self._acquiring):
            acquiring.cancel()

    def _standing(self) -> Standing:
        own = self._keepers.get(os.getpid())
        if own is not None:
            return own.standing
        if not self._keepers:
            return Standing()
        of_parent = next(reversed(self._keepers.values())).standing
        if of_parent.over is not None or of_parent.lease is None:
            return of_parent
        return self._resume_in_child(of_parent.lease)

    def _resume_in_child(self, lease: Lease) -> Standing:
        """Keep the seat from this process too: a fork copies no threads."""
        new = self._new_keeper()
        new.standing = Standing(lease=lease)
        own = self._keepers.setdefault(os.getpid(), new)
        if own is new:
            engine().run(own.resume(lease))
            exits.watch(self, self._begin_release, sigterm=self._sigterm)
        return own.standing

    def _is_held(self) -> bool:
        """Whether there is a seat already. If so, the call that took it no longer gives it up alone."""
        return self.state in AT_WORK and self._own_keeper().rely_on_it()

    def _own_keeper(self) -> Keeper:
        # Without a lock, which a fork or a signal could find held: of several threads one makes it.
        own = self._keepers.get(os.getpid())
        return self._keepers.setdefault(os.getpid(), self._new_keeper()) if own is None else own

    def _new_keeper(self) -> Keeper:
        access = Access(self._wanted, connect=self._connect)
        return Keeper(
            access,
            reacquire=self._reacquire,
            changed=self._changed,
            granted=self._granted,
            active_at=lambda: self._active_at,
        )

    def _connect(self) -> Service:
        return Service(self._wanted.url, self._credentials, keys=self._keys, transport=self._transport)

    @contextlib.contextmanager
    def _acquire_while(self, wait: timedelta | None) -> "Iterator[tuple[Future[None], Callable[[], Future[None]]]]":
        """Acquire while the block waits, and give a way to stop: Ctrl-C interrupts only the waiting.

        When the future of ``stop`` is done, the acquire has ended and a seat granted meanwhile is given back.
        """
        before, call = self._cancels, object()
        keeper = self._own_keeper()
        if self._active_at is not None:  # who wants a seat is at work
            self._active_at = elapsed()
        exits.watch(self, self._begin_release, sigterm=self._sigterm)
        acquiring = engine().run(keeper.acquire(wait=wait or self._wait, waiting=self._waiting, call=call))

        def stop() -> "Future[None]":
            acquiring.cancel()
            return engine().run(keeper.give_up(call, within_seconds=exits.EXIT_WITHIN_SECONDS))

        self._acquiring.add(acquiring)
        if self._cancels != before:  # just now, by a thread that could not know of it yet
            acquiring.cancel()
        try:
            yield acquiring, stop
        except BaseException as error:
            if self.state not in AT_WORK:
                exits.forget(self)
            # A task that is cancelled itself meets the same error as one whose seat is; a thread cannot be.
            is_ours = isinstance(error, asyncio.CancelledError) and self._cancels == before
            if isinstance(error, _CANCELLED) and not is_ours:
                message = "Waiting for a seat was cancelled."
                raise WaitCancelled(message) from None
            raise
        else:
            if self.state in AT_WORK:  # once more: another thread, which got none, may just have had it forgotten
                exits.watch(self, self._begin_release, sigterm=self._sigterm)
        finally:
            self._acquiring.discard(acquiring)

    def _begin_heartbeat(self) -> "Future[None] | None":
        self._standing()  # in a forked child this begins to keep the seat here
        keeper = self._keepers.get(os.getpid())
        return None if keeper is None else engine().run(keeper.heartbeat())

    def _begin_release(self, *, within_seconds: float = exits.EXIT_WITHIN_SECONDS) -> "Future[None] | None":
        keeper, engine_ = self._keepers.get(os.getpid()), running_engine()
        if keeper is None or engine_ is None:
            return None
        return engine_.run(keeper.release(within_seconds=within_seconds))

    def _begin_giving_back(self) -> "Future[None]":
        self.cancel()
        exits.forget(self)
        return engine().run(self._own_keeper().give_back(within_seconds=CLOSE_WITHIN_SECONDS))

    def _changed(self, change: Change) -> None:
        if (call := self._on_change) is not None:
            self._call(lambda: call(change))

    def _waiting(self, waiting: Waiting) -> None:
        if (call := self._on_wait) is not None:
            self._call(lambda: call(waiting))

    def _granted(self, lease: Lease) -> None:
        if (call := self._on_lease) is not None:
            self._call(lambda: call(lease))

    def _call(self, call: Callable[[], object]) -> None:
        engine().call_back(call)


class Seat(_Seat):
    """A seat, held from ``acquire`` to ``close``, or within a ``with`` block.

    A background thread sends heartbeats. It raises nothing in the program and does not delay the program's exit. Only
    native code that keeps the interpreter's lock can stop it. Callbacks run on a thread of their own.
    """

    def acquire(self, *, wait: timedelta | None = None) -> None:
        """Take a seat, or wait for one, and keep it.

        Raises:
            SeatleaseError: there is no seat (see ``seatlease.errors``). Nothing goes on in the background.
        """
        if self._is_held():
            return
        with self._acquire_while(wait) as (acquiring, stop):
            try:
                acquiring.result()
            except BaseException:
                futures.wait([stop()], timeout=exits.EXIT_WITHIN_SECONDS)
                raise

    def heartbeat(self) -> State:
        """Ask the service now, for example before a long piece of work. For a lost seat, ask for it again now.

        Returns:
            The state after the answer, or after 12 s without one. Raises nothing.
        """
        beating = self._begin_heartbeat()
        if beating is not None:
            futures.wait([beating], timeout=HEARTBEAT_WITHIN_SECONDS)
        return self.state

    def give_back(self) -> None:
        """Give the seat back, also a borrowed one, and one that an earlier start has borrowed. Takes some seconds.

        Raises:
            SeatleaseError: the service has not agreed. No program starts with the seat any more. Call this again.
        """
        self._begin_giving_back().result()

    def close(self) -> None:
        """Give the seat back, or leave a borrowed one. Takes at most 10 s, raises nothing, and may be called again."""
        self.cancel()
        exits.forget(self)
        released = self._begin_release(within_seconds=CLOSE_WITHIN_SECONDS)
        if released is not None:
            futures.wait([released], timeout=2 * CLOSE_WITHIN_SECONDS)

    def __enter__(self) -> "Self":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncSeat(_Seat):
    """As ``Seat``, for programs with an asyncio loop. A busy or blocked loop does not stop the heartbeats.

    Callbacks run on the loop that acquired the seat.
    """

    _loop: asyncio.AbstractEventLoop | None = None

    async def acquire(self, *, wait: timedelta | None = None) -> None:
        """Take a seat, or wait for one, and keep it. Cancelling the task stops the waiting.

        Raises:
            SeatleaseError: there is no seat (see ``seatlease.errors``). Nothing goes on in the background.
        """
        if self._is_held():
            return
        self._loop = asyncio.get_running_loop()
        with self._acquire_while(wait) as (acquiring, stop):
            try:
                await asyncio.wrap_future(acquiring)
            except BaseException:
                await asyncio.wait([asyncio.wrap_future(stop())], timeout=exits.EXIT_WITHIN_SECONDS)
                raise

    async def heartbeat(self) -> State:
        """Ask the service now, for example before a long piece of work. For a lost seat, ask for it again now.

        Returns:
            The state after the answer, or after 12 s without one. Raises nothing.
        """
        beating = self._begin_heartbeat()
        if beating is not None:
            await asyncio.wait([asyncio.wrap_future(beating)], timeout=HEARTBEAT_WITHIN_SECONDS)
        return self.state

    async def give_back(self) -> None:
        """Give the seat back, also a borrowed one, and one that an earlier start has borrowed. Takes some seconds.

        Raises:
            SeatleaseError: the service has not agreed. No program starts with the seat any more. Call this again.
        """
        await asyncio.wrap_future(self._begin_giving_back())

    async def close(self) -> None:
        """Give the seat back, or leave a borrowed one. Takes at most 10 s, raises nothing, and may be called again."""
        self.cancel()
        exits.forget(self)
        released = self._begin_release(within_seconds=CLOSE_WITHIN_SECONDS)
        if released is not None:
            await asyncio.wait([asyncio.wrap_future(released)], timeout=2 * CLOSE_WITHIN_SECONDS)

    def _call(self, call: Callable[[], object]) -> None:
        loop = self._loop
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to be called back
            if loop is not None:
                loop.call_soon_threadsafe(call)

    async def __aenter__(self) -> "Self":
        await self.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
