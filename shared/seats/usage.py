"""Usage: the seats in use, the users who hold them, and whether there were enough, all of one instant."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from google.api_core.exceptions import RetryError
from google.api_core.retry_async import AsyncRetry, if_exception_type

from shared.documents import queries
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.documents.policy import Policy
from shared.documents.reading import (
    license_from,
    licenses_with_line,
    organization_from,
    place_in_line_from,
    problems_from,
    session_from,
    user_from,
)
from shared.documents.usage_days import usage_day_from
from shared.firestore.client import Document, Firestore, ReadTime, Snapshot
from shared.firestore.errors import StoreUnavailable
from shared.firestore.group_commit import Answered
from shared.firestore.query import Cursor
from shared.firestore.values import decode_time
from shared.rules.acquire import earliest_expiry
from shared.rules.audit import overhang_until
from shared.rules.digest import digest
from shared.rules.history import DAY, UsageDay
from shared.rules.license import License
from shared.rules.line import PlaceInLine
from shared.rules.organization import Organization
from shared.rules.pools import pools
from shared.rules.refusal import LicenseNotFound, Unusable
from shared.rules.report_version import standing, version_of
from shared.rules.seat_use import SeatUse
from shared.rules.session import Session, is_borrowed
from shared.rules.usage import (
    LicenseUsage,
    Unchanged,
    Usage,
    UsageOutcome,
    View,
    Visibility,
    activity,
    on_page,
    overdraft_of,
    status_of,
    visibility_of,
    waiting_for,
    without_shared_keys,
)
from shared.rules.user import User
from shared.rules.warnings import NEARLY_FULL_FOR, SeatsNow, SeatWarning, is_nearly_full, seat_warnings


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """The sessions on the page, the places in the line, and what else the caller may see.

    ``days`` are of the history, by license: today's, and in the full view yesterday's. ``only_user`` is whose ended
    sessions the caller may see, ``None`` for everybody's.
    """

    sessions: Sequence[Session]
    waiting: Sequence[PlaceInLine]
    days: Mapping[str, Sequence[UsageDay]]
    only_user: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageRequest:
    """A caller's request for the usage of all licenses, or of the one with this key, with a page of sessions.

    ``known_versions`` are of the reports that the caller has.
    """

    user_id: str
    license_key: str | None
    page_size: int
    after: str | None
    view: View = View.FULL
    known_versions: Collection[str] = ()


class Usages:
    """Reports the usage of all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._firestore = firestore
        self._policy = policy

    async def usage(self, organization_id: str, request: UsageRequest) -> Answered[UsageOutcome]:
        """Report the organization's seats, all of one instant.

        It reads every license and a page of sessions, and for owners and admins one day or two of the history. If the
        caller has a report that still stands, it reads three documents and makes no query.

        Raises:
            StoreUnavailable: Firestore did not answer until the deadline.
        """
        retrying = AsyncRetry(
            predicate=if_exception_type(StoreUnavailable),
            initial=0.05,
            maximum=1,
            timeout=self._policy.answer_within.total_seconds(),
        )
        try:
            async with asyncio.timeout(self._policy.answer_within.total_seconds()):
                return await retrying(self._report)(OrganizationPaths(organization_id), request)
        except (RetryError, TimeoutError) as error:
            message = "Firestore did not answer before the deadline; asking again is safe"
            raise StoreUnavailable(message) from error

    async def _report(self, paths: OrganizationPaths, request: UsageRequest) -> Answered[UsageOutcome]:
        snapshot = await self._firestore.read([paths.organization, paths.user(request.user_id), paths.seats])
        at = snapshot.at
        organization = organization_from(snapshot.documents[paths.organization])
        user = user_from(snapshot.documents[paths.user(request.user_id)])
        visibility = visibility_of(organization=organization, user=user)
        if not isinstance(visibility, Visibility):
            return Answered(outcome=visibility, now=at.now)
        assert isinstance(organization, Organization)  # noqa: S101 the refusal leaves nothing else; for the type checker
        assert isinstance(user, User)  # noqa: S101 as above
        state = _state_of(snapshot, request)
        if (version := standing(request.known_versions, state, now=at.now)) is not None:
            return Answered(outcome=Unchanged(version=version), now=at.now)
        key = request.license_key
        wanted = queries.all_licenses() if key is None else queries.licenses_with_key(key)
        licenses = await self._firestore.select(paths.organization, wanted, at=at)
        if key is not None and not licenses:
            return Answered(outcome=LicenseNotFound(), now=at.now)
        only = licenses[0].document_id if key is not None and len(licenses) == 1 else None
        in_use, waiting, page, days = await asyncio.gather(
            self._firestore.count(paths.organization, queries.live_sessions(None, now=at.now), at=at),
            self._waiting(paths, snapshot.documents[paths.seats], at),
            self._page(paths, request, visibility, only, at),
            self._days(paths, request, visibility, [each.document_id for each in licenses], at),
        )
        sessions = [session for document in page if isinstance(session := session_from(document), Session)]
        only_user = None if visibility is Visibility.ALL else request.user_id
        seen = _Seen(sessions=sessions, waiting=waiting, days=days, only_user=only_user)
        told = {each.document_id: problems_from(each) for each in licenses}
        used = await asyncio.gather(
            *(
                self._license(paths, (license_id, license_, told[license_id]), seen, request.view, at)
                for license_id, license_ in self._parsed(licenses).items()
            )
        )
        warnings: tuple[SeatWarning, ...] = ()
        if visibility is Visibility.ALL:
            seats_now = await self._seats_now(paths, used, at)
            warnings = seat_warnings(organization, seats_now, in_use=in_use, now=at.now)
        report = Usage(
            viewer=user,
            organization=organization,
            licenses=tuple(used),
            in_use=in_use,
            warnings=warnings,
            version=version_of(state, now=at.now),
            next_page=page[-1].document_id if len(page) == request.page_size else None,
        )
        return Answered(outcome=report, now=at.now)

    async def _waiting(self, paths: OrganizationPaths, seats: Document | None, at: ReadTime) -> list[PlaceInLine]:
        """The places in the line, if the counters say that users may be waiting."""
        if not licenses_with_line(seats, now=at.now):
            return []
        found = await self._firestore.select(paths.organization, queries.places_in_line(now=at.now), at=at)
        return [place for document in found if (place := place_in_line_from(document)) is not None]

    async def _page(
        self, paths: OrganizationPaths, request: UsageRequest, visibility: Visibility, only: str | None, at: ReadTime
    ) -> list[Document]:
        if visibility is Visibility.NOTHING:
            return []
        query = queries.page_of_sessions(
            only,
            user_id=request.user_id if visibility is Visibility.OWN_SESSIONS else None,
            limit=request.page_size,
            after=None if request.after is None else Cursor(path=paths.session(request.after)),
        )
        return await self._firestore.select(paths.organization, query, at=at)

    async def _days(
        self,
        paths: OrganizationPaths,
        request: UsageRequest,
        visibility: Visibility,
        license_ids: Sequence[str],
        at: ReadTime,
    ) -> Mapping[str, Sequence[UsageDay]]:
        """Today in the history of each license, and in the full view yesterday; for owners and admins."""
        today = at.now.date()
        dates = [today, today - DAY] if request.view is View.FULL else [today]
        wanted = {
            paths.usage_day(license_id, day): license_id
            for license_id in (license_ids if visibility is Visibility.ALL else ())
            for day in dates
            if can_be_document_id(f"{license_id}~{day.isoformat()}")
        }
        if not wanted:
            return {}
        found = (await self._firestore.read(wanted, at=at)).documents
        days: dict[str, list[UsageDay]] = defaultdict(list)
        for path, license_id in wanted.items():
            if (day := usage_day_from(found[path])) is not None and day.date in dates:
                days[license_id].append(day)
        return days

    def _parsed(self, documents: Sequence[Document]) -> dict[str, License | Unusable]:
        """The licenses by id."""
        parsed = {each.path: license_from(each, self._policy) for each in documents}
        used = without_shared_keys({path: each for path, each in parsed.items() if each is not None})
        return {each.document_id: used[each.path] for each in documents if each.path in used}

    async def _license(
        self,
        paths: OrganizationPaths,
        described: tuple[str, License | Unusable, tuple[str, ...]],
        seen: _Seen,
        view: View,
        at: ReadTime,
    ) -> LicenseUsage:
        license_id, license_, problems = described
        in_use, open_now, first, borrowed = await asyncio.gather(
            self._firestore.count(paths.organization, queries.live_sessions(license_id, now=at.now), at=at),
            self._open(paths, license_id, license_, at),
            self._firestore.select(paths.organization, queries.next_to_lapse(license_id, now=at.now), at=at),
            self._borrowed(paths, license_id, license_, at),
        )
        days, waiting = seen.days.get(license_id, ()), waiting_for(license_id, seen.waiting)
        overdraft = overdraft_of(license_, open_now)
        holders = [session for each in first if isinstance(session := session_from(each), Session)]
        return LicenseUsage(
            license_id=license_id,
            license=license_,
            problems=problems,
            status=status_of(license_, now=at.now),
            in_use=in_use,
            pools=pools(license_, open_now) if isinstance(license_, License) else (),
            borrowed=tuple(each for each in borrowed if is_borrowed(each, now=at.now)),
            overhang=tuple(
                each for each in borrowed if overhang_until(each) is not None and seen.only_user in {None, each.user_id}
            ),
            overdraft_in_use=overdraft,
            waiting=waiting,
            earliest_expiry_at=earliest_expiry(holders, now=at.now),
            sessions=on_page(seen.sessions, license_id=license_id, now=at.now),
            denied_today=sum(day.people_denied for day in days if day.date == at.now.date()),
            activity=activity(days, in_use=in_use, overdraft_in_use=overdraft, waiting=waiting.count, now=at.now)
            if view is View.FULL
            else None,
        )

    async def _seats_now(self, paths: OrganizationPaths, used: Sequence[LicenseUsage], at: ReadTime) -> list[SeatsNow]:
        """What the warnings of each usable license rest on.

        For how long a license was nearly full is a lower bound: only the seats count whose present holders have had
        them for so long.
        """

        async def seats_now(each: LicenseUsage, license_: License) -> SeatsNow:
            held = queries.held_since(each.license_id, until=at.now - NEARLY_FULL_FOR)
            is_nearly = is_nearly_full(license_, in_use=each.in_use)
            return SeatsNow(
                license=license_,
                in_use=each.in_use,
                waiting=each.waiting.count,
                held_long=await self._firestore.count(paths.organization, held, at=at) if is_nearly else 0,
                denied_today=each.denied_today,
                borrowed_until=[until for session in each.borrowed if (until := session.borrowed_until) is not None],
            )

        usable = [(each, each.license) for each in used if isinstance(each.license, License)]
        return await asyncio.gather(*(seats_now(each, license_) for each, license_ in usable))

    async def _borrowed(
        self, paths: OrganizationPaths, license_id: str, license_: License | Unusable, at: ReadTime
    ) -> list[Session]:
        """The sessions whose device may work without a connection, of a license that lends seats."""
        if not isinstance(license_, License) or not license_.borrow_for:
            return []
        query = queries.borrowed_seats(license_id, now=at.now)
        found = await self._firestore.select(paths.organization, query, at=at)
        return [session for each in found if isinstance(session := session_from(each), Session)]

    async def _open(
        self, paths: OrganizationPaths, license_id: str, license_: License | Unusable, at: ReadTime
    ) -> SeatUse:
        """The license's sessions that have not ended, by pool."""
        groups = [*license_.reservations] if isinstance(license_, License) else []
        looks = [queries.open_sessions(license_id), *(queries.open_in_pool(license_id, group) for group in groups)]
        held, *reserved = await asyncio.gather(
            *(self._firestore.count(paths.organization, each, at=at) for each in looks)
        )
        by_pool = {(license_id, group): seats for group, seats in zip(groups, reserved, strict=True)}
        return SeatUse(by_license={license_id: held}, by_pool=by_pool)


def _state_of(snapshot: Snapshot, request: UsageRequest) -> str:
    """Name what a report is made of: the versions of organization, user and counters, and what was asked.

    Every grant and every end writes the counters. The user's document holds the role.
    """
    versions = {
        path: None if document is None else decode_time(document.update_time).isoformat()
        for path, document in snapshot.documents.items()
    }
    asked = (request.view, request.license_key, request.page_size, request.after)
    return digest(repr(sorted(versions.items())), repr(asked))
