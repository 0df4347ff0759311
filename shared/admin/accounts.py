"""Accounts: what the store needs of Firebase Authentication. Who talks to it is the edge's business."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A person who can sign in. ``claims`` are all the custom claims of their tokens, ours and others'."""

    user_id: str
    email: str | None
    claims: Mapping[str, Any]


class Accounts(Protocol):
    """The accounts of the project. Each call is one request, safe to repeat; failing, it raises the library's error."""

    async def find(self, user_id: str) -> Account | None:
        """Find an account by its uid."""

    async def find_by_email(self, email: str) -> Account | None:
        """Find an account by its e-mail address, if that was verified: anybody may sign up with anybody's."""

    async def set_claims(self, user_id: str, claims: Mapping[str, Any]) -> None:
        """Replace all custom claims of an account: tokens from now on have them."""

    async def end_sign_ins(self, user_id: str) -> None:
        """Revoke the refresh tokens of an account: no new ID token without signing in again."""
