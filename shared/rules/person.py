"""A person who has signed in, whether or not an organization lists them."""

from dataclasses import dataclass

from shared.rules.admission import normal_address
from shared.rules.organization import is_sso


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedIn:
    """A person with a verified ID token. ``provider`` is how they signed in, such as ``password`` or ``saml.acme``.

    ``providers`` are all ways to sign in that the account has, ``provider`` among them.
    """

    user_id: str
    email: str | None
    is_email_verified: bool
    provider: str
    providers: frozenset[str] = frozenset()

    @property
    def proven_address(self) -> str | None:
        """The address, if it proves who the person is; ``None`` if it does not.

        A company's single sign-on tells any address that the company chooses. So an account that has one proves no
        address, however it signed in this time.
        """
        if not self.email or not self.is_email_verified:
            return None
        is_chosen = any(map(is_sso, {self.provider, *self.providers}))
        return None if is_chosen else normal_address(self.email)
