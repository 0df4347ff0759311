"""Calls about people, as the page of an organization's owners makes them, and as a person who joins does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from infra.local.tokens import unsigned_token
from tests.support.client import Clients, answered
from tests.support.tenant import Tenant


@dataclass(frozen=True, kw_only=True)
class PeopleCalls:
    """Makes the calls of one test. Each is asked again while the service is busy."""

    clients: Clients

    async def by(self, tenant: Tenant, user_id: str, method: str, function: str, **asked: Any) -> httpx.Response:  # noqa: ANN401 a test may send anything
        """Call as a user of the tenant."""
        token = unsigned_token(project=self.clients.project, organization_id=tenant.organization_id, user_id=user_id)
        return await self.with_token(token, method, function, **asked)

    async def with_token(self, token: str, method: str, function: str, **asked: Any) -> httpx.Response:  # noqa: ANN401 as above
        headers = {"Authorization": f"Bearer {token}"}
        return await answered(
            lambda: self.clients.http.request(method, self.clients.urls[function], headers=headers, **asked)
        )

    async def invite(
        self,
        tenant: Tenant,
        email: str,
        *,
        role: str = "member",
        by: str = "adam",
        **more: Any,  # noqa: ANN401 as above
    ) -> httpx.Response:
        return await self.by(tenant, by, "POST", "invitations", json={"email": email, "role": role, **more})

    async def change(self, tenant: Tenant, user_id: str, *, by: str = "olivia", **more: Any) -> httpx.Response:  # noqa: ANN401 as above
        return await self.by(tenant, by, "PATCH", "members", json={"user_id": user_id, **more})

    async def members(self, tenant: Tenant, *, by: str = "olivia", **query: Any) -> httpx.Response:  # noqa: ANN401 as above
        return await self.by(tenant, by, "GET", "members", params=query)

    def token(self, email: str | None, *, uid: str | None = None, **claims: object) -> str:
        """A token of a person whom no organization lists, who signed in with a password and a verified address."""
        more = {"email": email, "email_verified": True, "firebase": signed_in_with("password"), **claims}
        return unsigned_token(
            project=self.clients.project, organization_id=None, user_id=uid or f"u{uuid4().hex[:20]}", more=more
        )

    async def join(self, token: str, organization_id: str | None = None) -> httpx.Response:
        asked = {} if organization_id is None else {"organization_id": organization_id}
        return await self.with_token(token, "POST", "join", json=asked)


def signed_in_with(provider: str, *more: str) -> Mapping[str, object]:
    """The claim ``firebase`` of a token, of an account that has these ways to sign in."""
    return {"sign_in_provider": provider, "identities": {each: ["x"] for each in (provider, *more)}}
