"""The program of the demo: it keeps a seat with the client package, as a customer's program does.

It runs on its own, with ``client/src`` on Python's path. Each line that it prints begins with the seat's state.
"""

import os
import sys
from datetime import timedelta

import httpx

import seatlease


class Cable(httpx.AsyncHTTPTransport):
    """The network of this program, which can be unplugged."""

    is_plugged = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, if there is a network."""
        if not self.is_plugged:
            message = "unplugged"
            raise httpx.ConnectError(message)
        return await super().handle_async_request(request)


def main() -> None:
    cable = Cable()

    def tell(about: str) -> None:
        sys.stdout.write(f"{seat.state.value}: {about}\n")
        sys.stdout.flush()

    def wait(waiting: seatlease.Waiting) -> None:
        tell(f"{waiting.error.message} It asks again in {waiting.next_try_in.seconds + 1} s.")

    seat = seatlease.Seat(
        os.environ["SEATLEASE_URL"],
        os.environ["SEATLEASE_LICENSE_KEY"],
        credentials=os.environ["SEATLEASE_ID_TOKEN"],
        wait=timedelta(seconds=float(sys.argv[1])),
        on_wait=wait,
        transport=cable,
    )
    with seat:
        tell("a seat fell free, and the program has it")
        cable.is_plugged = False
        seat.heartbeat()
        seat.check()  # raises nothing: the lease still runs
        tell("the network is gone, and work goes on")
        cable.is_plugged = True
        seat.heartbeat()
        tell("the network is back, and the user noticed nothing")
    tell("the program ended, and gave its seat back")


if __name__ == "__main__":
    main()
