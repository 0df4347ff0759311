from seatlease._service import stored
from seatlease.cli.options import Url
from seatlease.cli.saying import Misconfigured, explained, say


def logout(*, url: Url) -> None:
    """Remove the sign-in saved on this machine."""
    with explained():
        try:
            was_there = stored.forget(url)
        except OSError as error:
            message = f"the sign-in was not removed: {error}"
            raise Misconfigured(message) from None
        say(f"signed out of {url}" if was_there else f"nobody was signed in at {url}")
