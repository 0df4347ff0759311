"""Sign-ins and refresh tokens as Firebase answers them: its Auth emulator, and accounts that an admin changes."""

from collections.abc import Iterator

import jwt
import pytest
from firebase_admin import auth

from seatlease._service.credentials import RefreshToken
from seatlease._service.sign_in import SignedIn, sign_in
from seatlease.errors import RequestRefused, SignInRequired
from tests.support.people import AUTH_PROJECT, People, people_of

_KEY = "any-key"
_PASSWORD = "correct horse battery staple"


@pytest.fixture
def people(auth_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    with people_of(AUTH_PROJECT, auth_host, monkeypatch) as people:
        yield people


async def _signed_in(uid: str) -> SignedIn:
    return await sign_in(f"{uid}@example.com", _PASSWORD, api_key=_KEY)


async def test_who_signs_in_gets_id_tokens_of_their_own(people: People) -> None:
    uid = people.sign_up()

    signed_in = await _signed_in(uid)
    token = await signed_in.credentials(api_key=_KEY).id_token()

    assert signed_in.user_id == uid
    assert signed_in.email == f"{uid}@example.com"
    assert auth.verify_id_token(token, app=people.app)["uid"] == uid


async def test_new_claims_are_in_the_next_token_that_is_asked_for(people: People) -> None:
    uid = people.sign_up()
    credentials = (await _signed_in(uid)).credentials(api_key=_KEY)
    before = await credentials.id_token()
    auth.set_custom_user_claims(uid, {"org_id": "acme"}, app=people.app)

    kept = await credentials.id_token()
    after = await credentials.id_token(refresh=True)

    assert kept == before
    assert jwt.decode(after, options={"verify_signature": False})["org_id"] == "acme"


@pytest.mark.parametrize("password", ["wrong", " ", "0" * 1000])
async def test_a_wrong_password_and_an_unknown_address_are_told_in_the_same_words(
    people: People, password: str
) -> None:
    email = f"{people.sign_up()}@example.com"

    with pytest.raises(SignInRequired) as wrong_password:
        await sign_in(email, password, api_key=_KEY)
    with pytest.raises(SignInRequired) as unknown:
        await sign_in("nobody@example.com", _PASSWORD, api_key=_KEY)
    with pytest.raises(SignInRequired) as no_address:
        await sign_in("nobody", _PASSWORD, api_key=_KEY)

    assert {str(each.value) for each in (wrong_password, unknown, no_address)} == {
        "The e-mail address or the password is wrong."
    }


async def test_an_empty_password_is_asked_for(people: People) -> None:
    with pytest.raises(SignInRequired, match="enter your password"):
        await sign_in(f"{people.sign_up()}@example.com", "", api_key=_KEY)


async def test_a_disabled_account_neither_signs_in_nor_gets_tokens(people: People) -> None:
    uid = people.sign_up()
    credentials = (await _signed_in(uid)).credentials(api_key=_KEY)
    auth.update_user(uid, disabled=True, app=people.app)

    with pytest.raises(SignInRequired, match="disabled") as no_token:
        await credentials.id_token()
    with pytest.raises(SignInRequired, match="disabled") as no_sign_in:
        await _signed_in(uid)

    assert no_token.value.code == no_sign_in.value.code == "USER_DISABLED"


async def test_the_refresh_token_of_a_deleted_account_means_signing_in_again(people: People) -> None:
    uid = people.sign_up()
    credentials = (await _signed_in(uid)).credentials(api_key=_KEY)
    auth.delete_user(uid, app=people.app)

    with pytest.raises(SignInRequired, match="sign in again"):
        await credentials.id_token()


@pytest.mark.parametrize("refresh_token", ["made-up", "", "e30="])
@pytest.mark.usefixtures("people")
async def test_a_refresh_token_that_is_none_means_signing_in(refresh_token: str) -> None:
    with pytest.raises(SignInRequired, match="sign in"):
        await RefreshToken(refresh_token, api_key=_KEY).id_token()


@pytest.mark.usefixtures("people")
async def test_a_program_without_an_api_key_is_to_be_mended() -> None:
    with pytest.raises(RequestRefused, match="API key"):
        await RefreshToken("any", api_key="").id_token()
    with pytest.raises(RequestRefused, match="API key"):
        await sign_in("a@example.com", _PASSWORD, api_key="")
