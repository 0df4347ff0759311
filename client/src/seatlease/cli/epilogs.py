"""What ``--help`` shows below the options: examples, variables, exit statuses."""

from seatlease.cli import exit_status

_AS_IT_IS = "\b\n"
"""Before a paragraph: its lines are not wrapped anew."""

_SIGN_IN = """\
Who you are:
  SEATLEASE_ID_TOKEN       is used first: an ID token, which lasts an hour.
  SEATLEASE_REFRESH_TOKEN  is used next. It needs SEATLEASE_API_KEY, too.
  seatlease login          saves a sign-in, which is used without either.
"""
_DOCS = "All of it is explained in client/docs/command-line.md of Seatlease's source."


def _epilog(*paragraphs: str) -> str:
    return "\n\n".join([*(_AS_IT_IS + paragraph.rstrip() for paragraph in paragraphs), _DOCS])


def _examples(*lines: str) -> str:
    return "\n".join(["Examples:", *(f"  {line}" for line in lines)])


def _statuses(first: str, *numbers: int) -> str:
    shown = [f"  {number:<5}{exit_status.MEANINGS[number]}" for number in numbers]
    return "\n".join([f"Exit status: {first}", *shown])


_OF_REQUESTS = (exit_status.UNREACHABLE, exit_status.NOT_ALLOWED, exit_status.MISCONFIGURED)

ALL = _epilog(
    _examples(
        "export SEATLEASE_URL=https://licenses.example.com",
        "export SEATLEASE_LICENSE_KEY=ACME-DESIGN-STUDIO",
        "seatlease login --api-key AIza...",
        "seatlease run -- render scene.blend",
    ),
    "seatlease COMMAND -h shows a command's options, examples and exit statuses.",
)
RUN = _epilog(
    _examples(
        "seatlease run -- render scene.blend",
        "seatlease run --wait 10m -- make render",
        "seatlease run --on-loss warn --keys keys.json -- python train.py",
    ),
    _SIGN_IN,
    """\
What the program gets, and no token:
  SEATLEASE_SESSION_ID  the session of its seat
  SEATLEASE_FEATURES    what was sold, in JSON, at the start; not renewed
""",
    _statuses(
        "the program's own, 128 + n if signal n ended it, or",
        exit_status.WRONG_USE,
        exit_status.UNREACHABLE,
        exit_status.NO_SEAT,
        exit_status.NOT_ALLOWED,
        exit_status.MISCONFIGURED,
        exit_status.SEAT_LOST,
        exit_status.CANNOT_RUN,
        exit_status.NOT_FOUND,
    ),
)
USAGE = _epilog(
    _examples(
        "seatlease usage",
        "seatlease usage --watch --license-key ACME-DESIGN-STUDIO",
        "seatlease usage --json | jq '.licenses[].in_use'",
        "seatlease usage --history 30d --csv > usage.csv",
    ),
    _SIGN_IN,
    _statuses("0, or", *_OF_REQUESTS),
)
RELEASE = _epilog(
    _examples(
        "seatlease release                            # your own seat on this device",
        "seatlease release member-1@example.com       # all sessions of this user",
        "seatlease release f641626aff60               # all sessions on this device",
        "seatlease release member-1@example.com --until 2h",
        "seatlease release iokryylmrinyz47hiqsyd27hbn --yes",
    ),
    _SIGN_IN,
    _statuses("0; 1 if there is no such session, or you did not agree; or", *_OF_REQUESTS),
)
BORROW = _epilog(
    _examples(
        "seatlease borrow --for 3d",
        "seatlease borrow --until friday-18:00",
        "seatlease borrow --until 2026-05-01T14:00 --keys keys.json",
    ),
    _SIGN_IN,
    _statuses(
        "0, or",
        exit_status.WRONG_USE,
        exit_status.UNREACHABLE,
        exit_status.NO_SEAT,
        exit_status.NOT_ALLOWED,
        exit_status.MISCONFIGURED,
    ),
)
RETURN = _epilog(
    _examples("seatlease return"),
    _SIGN_IN,
    _statuses("0; 1 if no seat is borrowed here; or", *_OF_REQUESTS),
)
STATUS = _epilog(
    _examples("seatlease status", "seatlease status --json | jq '.[].borrowed_until'"),
    _statuses("0; 1 if no seat is borrowed here, or one cannot be used; or", exit_status.MISCONFIGURED),
)
TOKEN = _epilog(
    _examples('curl -H "Authorization: Bearer $(seatlease token)" $SEATLEASE_URL/v1/usage'),
    _SIGN_IN,
    _statuses("0, or", *_OF_REQUESTS),
)
LOGIN = _epilog(
    _examples(
        "seatlease login --api-key AIza...",
        "seatlease login --device",
        "printf '%s\\n' \"$PASSWORD\" | seatlease login --email ci@example.com",
    ),
    _statuses("0, or", *_OF_REQUESTS),
)
LOGOUT = _epilog(_examples("seatlease logout"), _statuses("0, or", exit_status.MISCONFIGURED))
DOCTOR = _epilog(
    _examples("seatlease doctor", "seatlease doctor --json"),
    _SIGN_IN,
    _statuses("0 if all is well, or", exit_status.PROBLEM, exit_status.MISCONFIGURED),
)
