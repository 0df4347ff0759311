"""``seatlease logout``."""

from seatlease import stored
from seatlease.cli.options import Url
from seatlease.cli.saying import Misconfigured, explained, say


def logout(*, url: Url) -> None:
    """Forget the sign-in that is kept on this machine."""
    with explained():
        try:
            was_there = stored.forget(url)
        except OSError as error:
            message = f"the sign-in is there still: {error}"
            raise Misconfigured(message) from None
        say(f"signed out of {url}" if was_there else f"nobody was signed in at {url}")
