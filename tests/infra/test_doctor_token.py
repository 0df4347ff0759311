"""The canary's ID token. Recorded answers of Firebase Authentication; the signature is Google's own library's.

Signing through the IAM API is not tested: it needs Google's servers. Here a service account's own key signs.
"""

from collections.abc import Iterator

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.exceptions import DefaultCredentialsError

from infra.doctor.cli import check_functions
from infra.doctor.finding import Mark
from infra.doctor.project import Project
from infra.doctor.token import SignIn, TokenError, id_token
from infra.local.stack import PROJECT
from infra.local.tokens import unsigned_token
from tests.infra.recorded_api import RecordedApi, recorded, recorded_api
from tests.infra.served import Served
from tests.support.tenant import Tenant

SIGN_IN = "POST /v1/accounts:signInWithCustomToken"
ACCOUNT = "seatlease-canary@demo-seatlease.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def sign_in(private_key: rsa.RSAPrivateKey) -> SignIn:
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = {
        "type": "service_account",
        "client_email": ACCOUNT,
        "private_key": pem.decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return SignIn(user_id="canary", api_key="web-key", key=key)


@pytest.fixture
def api() -> Iterator[RecordedApi]:
    with recorded_api() as served:
        served.say(SIGN_IN, recorded("sign_in"))
        yield served


def project_at(api: RecordedApi) -> Project:
    return Project(project="demo-seatlease", region="us-central1", endpoints={"identity": api.url})


def test_a_service_account_signs_the_canary_in_and_gets_its_id_token(
    api: RecordedApi, sign_in: SignIn, private_key: rsa.RSAPrivateKey
) -> None:
    token = id_token(project_at(api), sign_in)

    assert token == "an.id.token"
    (sent,) = api.bodies
    claims = jwt.decode(
        sent["token"],
        private_key.public_key(),
        algorithms=["RS256"],
        audience="https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit",
    )
    assert (claims["uid"], claims["iss"]) == ("canary", ACCOUNT)


def test_a_sign_in_that_firebase_refuses_is_told(api: RecordedApi, sign_in: SignIn) -> None:
    api.say(SIGN_IN, recorded("sign_in_refused"), status=400)

    with pytest.raises(TokenError) as error:
        id_token(project_at(api), sign_in)

    told = "Firebase refused to sign in the user canary: API key not valid. Please pass a valid API key."
    assert str(error.value) == told


def test_without_credentials_nobody_signs(api: RecordedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    nobody = SignIn(user_id="canary", api_key="web-key")

    with pytest.raises((TokenError, DefaultCredentialsError)):
        id_token(project_at(api), nobody)

    assert api.heard == []


def test_a_canary_that_was_signed_in_takes_a_seat(
    api: RecordedApi, sign_in: SignIn, local_stack: Served, tenant: Tenant
) -> None:
    token = unsigned_token(project=PROJECT, organization_id=tenant.organization_id, user_id="m0")
    api.say(SIGN_IN, {**recorded("sign_in"), "idToken": token})

    findings = check_functions(
        project_at(api),
        url=local_stack.state["base_url"],
        token=None,
        license_key=tenant.license_key,
        sign_in=sign_in,
    )

    assert {finding.mark for finding in findings} == {Mark.OK}
    assert [session["user_id"] for session in tenant.sessions()] == ["m0"]


def test_a_canary_that_firebase_does_not_sign_in_could_not_be_checked(
    api: RecordedApi, sign_in: SignIn, local_stack: Served
) -> None:
    api.say(SIGN_IN, recorded("sign_in_refused"), status=400)

    *answering, canary = check_functions(
        project_at(api), url=local_stack.state["base_url"], token=None, license_key="A-KEY", sign_in=sign_in
    )

    assert {finding.mark for finding in answering} == {Mark.OK}
    assert (canary.subject, canary.mark) == ("canary", Mark.UNKNOWN)
    assert canary.found.startswith("Firebase refused to sign in the user canary: ")
