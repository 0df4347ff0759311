"""What a person needs after ``make serve``: variables to set, and commands to copy. Each line fits 80 columns."""

import shlex

from infra.local.auth import PASSWORD
from infra.local.portal_build import is_built
from infra.local.stack import Stack
from infra.local.tokens import unsigned_token

_ACQUIRE = """\
  curl -s $SEATLEASE_URL/v1/acquire \\
       -H "Authorization: Bearer $SEATLEASE_ID_TOKEN" \\
       -H "Content-Type: application/json" \\
       -d '{"license_key": "'$SEATLEASE_LICENSE_KEY'", "hardware_id": "laptop"}'"""


def variables(stack: Stack, *, organization: str, license_key: str, user: str) -> dict[str, str]:
    """Give the variables of the command line and of the examples, for this user. The token lasts an hour."""
    token = unsigned_token(project=stack.project, organization_id=organization, user_id=user)
    return {"SEATLEASE_URL": stack.base_url, "SEATLEASE_LICENSE_KEY": license_key, "SEATLEASE_ID_TOKEN": token}


def exports(given: dict[str, str]) -> str:
    """Write them for a shell to read."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in given.items())


def next_steps(stack: Stack, *, organization: str, license_key: str, seats: int) -> str:
    port = stack.base_url.rpartition(":")[2]
    env = f".venv/bin/python -m infra.local env --port {port}"
    lines = [
        *_page(stack),
        f"Organization {organization}: license {license_key} with {seats} seats.",
        "Users: olivia (owner), member-1 to member-5 (members), gus (guest).",
        "",
        "In another terminal, in this folder, be member-1 for an hour and take a seat:",
        "",
        f'  eval "$({env})"',
        _ACQUIRE,
        "",
        "The owner sees who holds seats:",
        "",
        f'  eval "$({env} --user olivia)"',
        '  curl -s $SEATLEASE_URL/v1/usage -H "Authorization: Bearer $SEATLEASE_ID_TOKEN"',
        "",
        "The command line and the client package use the same variables:",
        "",
        '  python3 -m venv /tmp/try && /tmp/try/bin/pip install "./client[cli]"',
        "  /tmp/try/bin/seatlease run -- sh -c 'echo at work; sleep 30'",
        "",
        "New audit events, as a subscriber receives them, and the scheduled functions:",
        "",
        "  .venv/bin/python -m infra.local trail",
        "  make tick",
        "",
        f"Firestore emulator: {stack.firestore_emulator_host}",
    ]
    if stack.auth_emulator_host is None:
        lines += ["No Auth emulator, so sync_user_claims does not run. make auth-emulator installs it."]
    else:
        lines += [f"Auth emulator: {stack.auth_emulator_host} (password of every account: {PASSWORD})"]
    return "\n".join(lines)


def _page(stack: Stack) -> list[str]:
    """Say where the page for organizations is, and with which account to sign in to it."""
    if stack.auth_emulator_host is None:
        return []
    if not is_built():
        return ["The page for organizations is not built. make portal builds it.", ""]
    return [
        f"The page for organizations: {stack.base_url}/",
        f"Sign in as olivia@example.com (owner) or member-1@example.com: {PASSWORD}",
        "",
    ]
