"""Who becomes a user of an organization by themselves, and who does not."""

from dataclasses import replace

import pytest

from shared.rules.admission import OPEN_FOR, Joined, JoinedBy
from shared.rules.claims import Membership, active_membership
from shared.rules.domains import PUBLIC_MAIL_DOMAINS, domain_of, normal_domain
from shared.rules.join import AlreadyJoined, JoinOutcome, Place, join
from shared.rules.person import SignedIn
from shared.rules.refusal import InAnotherOrganization, NoInvitation
from shared.rules.user import Role, User
from tests.rules.make import INSTANT, NOW, UNUSABLE, a_user, an_invitation, an_organization

ANN = SignedIn(user_id="ann", email="Ann@Acme.Example", is_email_verified=True, provider="password")
BY_SSO = replace(ANN, provider="saml.acme", providers=frozenset({"saml.acme"}))
CLOSED = Place(organization_id="acme", organization=an_organization())
OWNER = replace(a_user(role=Role.OWNER), user_id="olivia")
INVITING = replace(CLOSED, invitation=an_invitation(role=Role.ADMIN, groups=["design"]), inviter=OWNER)
OF_DOMAIN = replace(CLOSED, domains={"acme.example"})
OF_PROVIDER = replace(CLOSED, providers={"saml.acme"})
LISTED = replace(CLOSED, user=a_user(role=Role.ADMIN))


def _join(person: SignedIn, *places: Place, asked: str | None = None) -> JoinOutcome:
    listings = [Membership(organization_id=each.organization_id, user=each.user) for each in places if each.user]
    present = active_membership(listings)
    belongs_to = None if present is None else present.organization_id
    return join(person, asked=asked, places=places, belongs_to=belongs_to, now=NOW)


def _elsewhere(place: Place, organization_id: str = "elsewhere") -> Place:
    organization = replace(an_organization(), organization_id=organization_id)
    return replace(place, organization_id=organization_id, organization=organization)


@pytest.mark.parametrize(
    ("person", "place", "by", "role", "groups"),
    [
        (ANN, INVITING, JoinedBy.INVITATION, Role.ADMIN, ("design",)),
        (ANN, OF_DOMAIN, JoinedBy.DOMAIN, Role.MEMBER, ()),
        (BY_SSO, OF_PROVIDER, JoinedBy.PROVIDER, Role.MEMBER, ()),
        (replace(BY_SSO, is_email_verified=False), OF_PROVIDER, JoinedBy.PROVIDER, Role.MEMBER, ()),
        (replace(BY_SSO, email=None), OF_PROVIDER, JoinedBy.PROVIDER, Role.MEMBER, ()),
        (replace(ANN, provider="custom"), INVITING, JoinedBy.INVITATION, Role.ADMIN, ("design",)),
        (replace(ANN, provider="google.com"), OF_DOMAIN, JoinedBy.DOMAIN, Role.MEMBER, ()),
    ],
)
def test_an_invitation_a_single_sign_on_or_a_domain_lets_a_person_in(
    person: SignedIn, place: Place, by: JoinedBy, role: Role, groups: tuple[str, ...]
) -> None:
    outcome = _join(person, place)

    assert isinstance(outcome, Joined)
    assert (outcome.by, outcome.user.role, outcome.user.groups, outcome.user.is_active) == (by, role, groups, True)
    assert outcome.user.email == ("ann@acme.example" if by is not JoinedBy.PROVIDER else None), "only a proven address"


UNVERIFIED = replace(ANN, is_email_verified=False)
OTHER = replace(ANN, email="ben@other.example")
KEPT_OUT = [
    pytest.param(ANN, CLOSED, id="nothing is open"),
    pytest.param(UNVERIFIED, INVITING, id="an address that is not verified, invited"),
    pytest.param(UNVERIFIED, OF_DOMAIN, id="an address that is not verified, by domain"),
    pytest.param(replace(ANN, email=None), INVITING, id="no address"),
    pytest.param(OTHER, INVITING, id="the invitation of another address"),
    pytest.param(
        replace(ANN, email="\u212aate@acme.example"),
        replace(INVITING, invitation=an_invitation("kate@acme.example")),
        id="the invitation of an address that looks alike",
    ),
    pytest.param(OTHER, OF_DOMAIN, id="another domain"),
    pytest.param(replace(ANN, email="ann@mail.acme.example"), OF_DOMAIN, id="a domain below it"),
    pytest.param(replace(ANN, email="ann@evil-acme.example"), OF_DOMAIN, id="a domain that ends alike"),
    pytest.param(BY_SSO, INVITING, id="an address that a company chooses, invited"),
    pytest.param(BY_SSO, OF_DOMAIN, id="an address that a company chooses, by domain"),
    pytest.param(
        replace(ANN, providers=frozenset({"email", "oidc.x"})), INVITING, id="an account that has a company's"
    ),
    pytest.param(replace(BY_SSO, provider="saml.ACME"), OF_DOMAIN, id="a company's whose id is written oddly"),
    pytest.param(replace(BY_SSO, provider="saml.other"), OF_PROVIDER, id="another company's single sign-on"),
    pytest.param(replace(ANN, providers=frozenset({"saml.acme"})), OF_PROVIDER, id="not signed in with it this time"),
    pytest.param(
        replace(ANN, provider="google.com"), replace(CLOSED, providers={"google.com"}), id="a sign-on of everybody's"
    ),
    pytest.param(
        replace(ANN, email="ann@gmail.com"), replace(CLOSED, domains={"gmail.com"}), id="a domain of everybody's"
    ),
    pytest.param(ANN, replace(INVITING, invitation=an_invitation(age=OPEN_FOR)), id="an invitation that has ended"),
    pytest.param(ANN, replace(INVITING, user=replace(a_user(), is_active=False)), id="a user who was deactivated"),
    pytest.param(ANN, replace(INVITING, user=UNUSABLE), id="a user whose document cannot be used"),
    pytest.param(ANN, replace(INVITING, is_deactivated=True), id="a deactivated user with this address, invited"),
    pytest.param(ANN, replace(OF_DOMAIN, is_deactivated=True), id="a deactivated user with this address, by domain"),
    pytest.param(
        BY_SSO, replace(OF_PROVIDER, is_deactivated=True), id="a deactivated user with this address, by single sign-on"
    ),
    pytest.param(ANN, replace(INVITING, inviter=None), id="an invitation of a user who is gone"),
    pytest.param(ANN, replace(INVITING, inviter=UNUSABLE), id="an invitation of a user who cannot be read"),
    pytest.param(
        ANN, replace(INVITING, inviter=replace(OWNER, is_active=False)), id="an invitation of a deactivated one"
    ),
    pytest.param(ANN, replace(INVITING, inviter=replace(OWNER, role=Role.MEMBER)), id="an invitation of a member"),
    pytest.param(
        ANN,
        replace(INVITING, invitation=an_invitation(role=Role.OWNER), inviter=replace(OWNER, role=Role.ADMIN)),
        id="the invitation of an owner by one who is an owner no more",
    ),
    pytest.param(ANN, replace(INVITING, organization=None), id="no organization"),
    pytest.param(ANN, replace(INVITING, organization=UNUSABLE), id="an organization that cannot be used"),
    pytest.param(
        ANN, replace(INVITING, organization=replace(an_organization(), is_active=False)), id="a deactivated one"
    ),
    pytest.param(
        ANN,
        replace(LISTED, organization=replace(an_organization(), is_active=False)),
        id="a member of a deactivated one",
    ),
]


@pytest.mark.parametrize(("person", "place"), KEPT_OUT)
@pytest.mark.parametrize("asked", [None, "acme"])
def test_nothing_else_lets_a_person_in_and_the_refusal_is_the_same(
    person: SignedIn, place: Place, asked: str | None
) -> None:
    assert _join(person, place, asked=asked) == NoInvitation()


def test_an_invitation_is_open_until_its_last_instant() -> None:
    place = replace(INVITING, invitation=an_invitation(age=OPEN_FOR - INSTANT))

    assert isinstance(_join(ANN, place), Joined)


@pytest.mark.parametrize("asked", [None, "acme"])
def test_a_user_who_joins_again_is_told_the_same(asked: str | None) -> None:
    outcome = _join(UNVERIFIED, LISTED, _elsewhere(INVITING), asked=asked)

    assert isinstance(outcome, AlreadyJoined)
    assert (outcome.organization.organization_id, outcome.user.role) == ("acme", Role.ADMIN)


def test_a_user_of_another_organization_is_told_so_only_if_they_are_invited() -> None:
    there, open_, closed = LISTED, _elsewhere(INVITING), _elsewhere(CLOSED)

    outcomes = [_join(ANN, there, each, asked="elsewhere") for each in (open_, closed)]

    assert outcomes == [InAnotherOrganization(), NoInvitation()]


def test_a_user_whose_document_elsewhere_is_broken_stays_there() -> None:
    outcome = _join(ANN, replace(CLOSED, user=UNUSABLE), _elsewhere(INVITING), asked="elsewhere")

    assert outcome == InAnotherOrganization()


def test_a_user_who_was_deactivated_elsewhere_may_join() -> None:
    there = replace(CLOSED, user=replace(a_user(), is_active=False))

    outcome = _join(ANN, there, _elsewhere(INVITING))

    assert isinstance(outcome, Joined)
    assert outcome.organization.organization_id == "elsewhere"


def test_only_the_organization_that_is_asked_for_is_joined() -> None:
    assert _join(ANN, INVITING, asked="elsewhere") == NoInvitation()


def test_of_several_open_organizations_the_latest_invitation_counts_before_any_domain() -> None:
    old = replace(_elsewhere(INVITING, "old"), invitation=an_invitation(age=OPEN_FOR / 2))

    outcome = _join(ANN, _elsewhere(OF_DOMAIN, "domain"), old, _elsewhere(INVITING, "new"))

    assert isinstance(outcome, Joined)
    assert outcome.organization.organization_id == "new"


def test_a_domain_lets_in_no_owner_or_admin_whatever_the_organization_says() -> None:
    outcome = _join(ANN, replace(OF_DOMAIN, invitation=an_invitation("ben@acme.example", role=Role.OWNER)))

    assert isinstance(outcome, Joined)
    assert outcome.user == User(user_id="ann", email="ann@acme.example", role=Role.MEMBER, is_active=True)


# Domains


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("acme.example", "acme.example"),
        (" ACME.Example ", "acme.example"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("B\u00dcCHER.example", "xn--bcher-kva.example"),
        ("stra\u00dfe.example", "xn--strae-oqa.example"),
        ("\uff41cme.example", "acme.example"),
        ("\u0430cme.example", "xn--cme-5cd.example"),  # a Cyrillic letter stays another domain
        *((text, None) for text in ("", ".", "acme", "acme.", "a..b", "@acme.example", "https://acme.example")),
        *(
            (text, None)
            for text in ("acme .example", "acme_x.example", "-acme.example", "a" * 64 + ".example", "a\x00.b")
        ),
    ],
)
def test_a_domain_has_one_form(written: str, normal: str | None) -> None:
    assert normal_domain(written) == normal


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("ann@Acme.Example", "acme.example"),
        ("ann@evil.example@acme.example", None),
        ("@acme.example", None),
        ("acme.example", None),
        ("ann@", None),
    ],
)
def test_the_domain_of_an_address_is_what_stands_behind_its_one_at(address: str, domain: str | None) -> None:
    assert domain_of(address) == domain


def test_public_mail_domains_are_in_the_form_in_which_domains_are_compared() -> None:
    assert {domain for domain in PUBLIC_MAIL_DOMAINS if normal_domain(domain) != domain} == set()
