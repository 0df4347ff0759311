"""Review: problems of a document whose fields have the right form, but do not fit other documents or each other."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.rules.domains import PUBLIC_MAIL_DOMAINS, normal_domain
from shared.rules.license import License
from shared.rules.organization import MAX_SLUG_LENGTH, Organization, is_provider_id, is_slug
from shared.rules.seat_use import SeatUse
from shared.rules.user import User

LONG_GRACE = timedelta(days=1)
"""A longer grace is a notice."""

LONG_BORROW = timedelta(days=30)
"""To lend a seat for longer is a notice."""


class Level(StrEnum):
    """An error stops the document from working; a notice is only worth a look."""

    ERROR = "error"
    NOTICE = "notice"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A problem of a document, in words for an admin: the field, what it holds, and what it should hold."""

    field: str
    level: Level
    found: str
    expected: str


def organization_problems(organization: Organization, *, use: SeatUse, is_cap_filled_in: bool = False) -> list[Problem]:
    """Look at an organization's cap. ``is_cap_filled_in``: the admin left it out, and has not changed it since."""
    problems, cap = [], organization.max_concurrent_seats
    if is_cap_filled_in:
        found = f"{cap}, filled in because it was left out: at most {cap} seats over all its licenses together"
        expected = "nothing to do if that is right. null: only the licenses' own caps count"
        problems.append(Problem(field="max_concurrent_seats", level=Level.NOTICE, found=found, expected=expected))
    if cap is not None and use.total > cap:
        problems.append(_below_use(cap, in_use=use.total))
    return problems


def slug_problems(slug: str, *, is_taken: bool) -> list[Problem]:
    """Look at an organization's slug. ``is_taken``: another organization has it too."""
    if not is_slug(slug):
        expected = f"small letters, digits and single hyphens between them, at most {MAX_SLUG_LENGTH} characters"
        return [Problem(field="slug", level=Level.NOTICE, found=f'the text "{slug[:60]}"', expected=expected)]
    if is_taken:
        found, expected = "the slug of another organization", "a slug of its own, or null"
        return [Problem(field="slug", level=Level.NOTICE, found=found, expected=expected)]
    return []


def domain_problems(domains: Sequence[str], *, taken: Collection[str]) -> list[Problem]:
    """Look at the domains whose people may join. ``taken`` are those that another organization has too."""
    problems = []
    for domain in domains:
        normal = normal_domain(domain)
        expected = "a domain of this organization alone, or no entry"
        if normal is None:
            found, expected = _entry(domain, "is no domain"), "a domain, such as acme.example, without @ or https"
        elif normal in PUBLIC_MAIL_DOMAINS:
            found = _entry(domain, "is a public mail domain: anybody has an address there, so nobody joins by it")
        elif normal in taken:
            # It must not name the other organization: admins of this one may not know of it.
            found = _entry(domain, "another organization has too: nobody joins either of them by it")
        else:
            continue
        problems.append(Problem(field="email_domains", level=Level.ERROR, found=found, expected=expected))
    return problems


def provider_problems(providers: Sequence[str], *, taken: Collection[str]) -> list[Problem]:
    """Look at the single sign-ons whose people may join. ``taken`` are those that another organization has too."""
    problems = []
    for provider in providers:
        expected = "the id of a provider of this organization alone, or no entry"
        if not is_provider_id(provider):
            found = _entry(provider, "is no id of a SAML or OIDC provider")
            expected = "the id that Firebase Authentication shows, such as saml.acme or oidc.acme"
        elif provider in taken:
            found = _entry(provider, "another organization has too: nobody joins either of them by it")
        else:
            continue
        problems.append(Problem(field="sso_providers", level=Level.ERROR, found=found, expected=expected))
    return problems


def _entry(text: str, what: str) -> str:
    return f'the entry "{text[:60]}", which {what}'


def without_owner(user: User) -> Problem:
    """Report that the organization has no active owner any more, in the document of the latest one."""
    field = "role" if user.is_active else "is_active"
    found = "the last active owner of the organization; now it has none"
    expected = "another user with the role owner, unless you mean it"
    return Problem(field=field, level=Level.NOTICE, found=found, expected=expected)


def key_elsewhere() -> Problem:
    """Report that a license of another organization has the same key."""
    # It must not name the other organization: admins of this one may not know of it.
    found = "a key that a license of another organization has too"
    expected = "its own key, unless you mean it. Remove the field to get a new one"
    return Problem(field="license_key", level=Level.NOTICE, found=found, expected=expected)


def license_problems(  # noqa: PLR0913 each is named at the call
    license_: License,
    *,
    organization: Organization | None,
    use: SeatUse,
    same_key: Sequence[str],
    unused_groups: Collection[str] = (),
    now: datetime,
) -> list[Problem]:
    """Compare a license with its organization, the seats in use and the time.

    ``same_key`` are the ids of the organization's other licenses with its key. ``unused_groups`` are the groups that
    the license names and no user has.
    """
    problems = [*_start_problems(license_, now=now)]
    if license_.expires_at is not None and license_.is_expired(now=now):
        found = f"{_time(license_.expires_at)}, which is past: the license gives no seat"
        expected = "a time to come, or null for no end. Nothing to do if the contract has ended"
        problems.append(Problem(field="expires_at", level=Level.NOTICE, found=found, expected=expected))
    if same_key:
        others = ", ".join(sorted(same_key))
        found = f"the same key as these licenses: {others}"
        expected = "its own key. Remove the field to get a new one. Until then both licenses may refuse seats"
        problems.append(Problem(field="license_key", level=Level.ERROR, found=found, expected=expected))
    seats, in_use = license_.max_concurrent_seats, use.of(license_.license_id)
    if in_use > seats:
        problems.append(_below_use(seats, in_use=in_use))
    cap = None if organization is None else organization.max_concurrent_seats
    if cap is not None and seats > cap:
        found = f"{seats} seats, but the organization may use only {cap} over all its licenses"
        expected = f"at most {cap}, or a higher max_concurrent_seats in the organization (null: no cap)"
        problems.append(Problem(field="max_concurrent_seats", level=Level.NOTICE, found=found, expected=expected))
    problems += _group_problems(license_, unused_groups=unused_groups)
    if cap is not None and seats <= cap < seats + license_.overdraft_seats:
        never = seats + license_.overdraft_seats - cap
        found = f"{license_.overdraft_seats}, but {never} are never given: the organization may use only {cap} seats"
        expected = f"at most {cap - seats}, or a higher max_concurrent_seats in the organization (null: no cap)"
        problems.append(Problem(field="overdraft_seats", level=Level.NOTICE, found=found, expected=expected))
    if license_.idle_for is not None and license_.idle_for < license_.heartbeat_every:
        idle, pause = (each // timedelta(seconds=1) for each in (license_.idle_for, license_.heartbeat_every))
        found = f"{idle} seconds, but a program asks only every {pause} seconds: until then an idle user keeps the seat"
        expected = f"at least {pause}, or a shorter lease_seconds (a program asks three times in a lease)"
        problems.append(Problem(field="idle_seconds", level=Level.NOTICE, found=found, expected=expected))
    problems += _borrow_problems(license_)
    if license_.grace_for > LONG_GRACE:
        seconds = license_.grace_for // timedelta(seconds=1)
        found = f"{seconds} seconds: each program that has held a seat for one lease may work offline for so long"
        expected = "at most 86400 (a day), unless many more programs may work offline than there are seats"
        problems.append(Problem(field="grace_seconds", level=Level.NOTICE, found=found, expected=expected))
    return problems


def _start_problems(license_: License, *, now: datetime) -> Iterator[Problem]:
    starts_at, expires_at = license_.starts_at, license_.expires_at
    if starts_at is None:
        return
    if expires_at is not None and starts_at >= expires_at:
        found = f"{_time(starts_at)}, not before expires_at ({_time(expires_at)}): the license never gives a seat"
        expected = "a time before expires_at, or null for no start"
        yield Problem(field="starts_at", level=Level.ERROR, found=found, expected=expected)
    elif not license_.has_started(now=now):
        found = f"{_time(starts_at)}: the license gives no seat before"
        expected = "nothing to do if the contract begins then. null: it has begun"
        yield Problem(field="starts_at", level=Level.NOTICE, found=found, expected=expected)


def _group_problems(license_: License, *, unused_groups: Collection[str]) -> Iterator[Problem]:
    seats, reserved, allowed = license_.max_concurrent_seats, license_.reservations, license_.allowed_groups
    if allowed is not None and not allowed:
        found, expected = "no group: the license gives no user a seat", "at least one group, or null for all users"
        yield Problem(field="allowed_groups", level=Level.ERROR, found=found, expected=expected)
    if (total := sum(reserved.values())) > seats:
        found = f"{total} seats in all, but the license has {seats}"
        expected = f"at most {seats} in all. Until then the groups that ask first get the seats; no common one is left"
        yield Problem(field="reservations", level=Level.NOTICE, found=found, expected=expected)
    if allowed and (outside := reserved.keys() - allowed):
        found = f"seats for {_named(outside)}, which allowed_groups leaves out: no user gets them"
        expected = "only groups of allowed_groups, or the group in allowed_groups too"
        yield Problem(field="reservations", level=Level.NOTICE, found=found, expected=expected)
    for field, groups in (("allowed_groups", allowed or ()), ("reservations", reserved)):
        if unused := set(groups) & set(unused_groups):
            found = f"{_named(unused)}, which no user had when this was checked"
            expected = "groups that users of this organization have. Nothing to do if users get them later"
            yield Problem(field=field, level=Level.NOTICE, found=found, expected=expected)


def _borrow_problems(license_: License) -> Iterator[Problem]:
    seats, most = license_.max_concurrent_seats, license_.max_borrowed_seats
    if most is not None and not license_.borrow_for:
        found = f"{most}, but max_borrow_seconds is 0: no seat is lent"
        expected = "null, or max_borrow_seconds too"
        yield Problem(field="max_borrowed_seats", level=Level.NOTICE, found=found, expected=expected)
    elif most is not None and most > seats:
        found = f"{most}, but the license has {seats} seats: all of them may be away"
        expected = f"at most {seats}, or null for all"
        yield Problem(field="max_borrowed_seats", level=Level.NOTICE, found=found, expected=expected)
    if license_.borrow_for > LONG_BORROW:
        found = f"{license_.borrow_for // timedelta(days=1)} days: a lost device may work on for so long"
        expected = f"at most {LONG_BORROW // timedelta(seconds=1)} (30 days), unless users are away for longer"
        yield Problem(field="max_borrow_seconds", level=Level.NOTICE, found=found, expected=expected)


def _named(groups: Iterable[str]) -> str:
    return ", ".join(f'"{group}"' for group in sorted(groups))


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _below_use(cap: int, *, in_use: int) -> Problem:
    return Problem(
        field="max_concurrent_seats",
        level=Level.NOTICE,
        found=f"{cap}, but {in_use} seats were in use when this was checked",
        expected="nothing to do: sessions go on, and no new seat is given until enough have been given back",
    )
