"""The steps of a sign-in, and how often each may be taken.

A device proves by its code verifier that it began the sign-in. A person has an ID token.
"""

from starlette.requests import Request

from shared.admin.sign_ins import Asked, SignInOutcome, SignIns
from shared.edge.devices import address_of, network_of
from shared.edge.errors import ApiError, Code
from shared.edge.identity import Limit, identify_with_sign_in
from shared.edge.requests import BeginSignIn, DecideSignIn, ExchangeSignIn, LookAtSignIn
from shared.firestore.group_commit import Answered
from shared.rules.sign_in import Approval, sign_in_id_of

BEGUN = Limit(burst=60, a_second=1)
"""Of one address, where a whole company may be."""
EXCHANGED = Limit(burst=200, a_second=20)
"""Of one address: each device asks every five seconds."""
LOOKED = Limit(burst=20, a_second=0.1)
"""Of one person, who could try one code after the other."""


async def take_step(
    request: Request, asked: BeginSignIn | LookAtSignIn | DecideSignIn | ExchangeSignIn, devices: SignIns
) -> Answered[SignInOutcome]:
    """Take a step.

    Raises:
        ApiError: of ``identify``, ``RATE_LIMITED`` of an address, ``SIGN_IN_REFUSED`` for a token of a device.
        Contended: other writes came first until the deadline.
        StoreUnavailable: Firestore did not answer until the deadline.
    """
    match asked:
        case BeginSignIn():
            BEGUN.admit(network_of(request))
            device = Asked(
                code_challenge=asked.code_challenge,
                device_name=asked.device_name,
                ip_address=address_of(request),
                loopback_port=asked.loopback_port,
            )
            return await devices.begin(device)
        case ExchangeSignIn():
            EXCHANGED.admit(network_of(request))
            return await devices.exchange(
                sign_in_id=asked.sign_in_id, code_verifier=asked.code_verifier, code=asked.code
            )
    caller, how = await identify_with_sign_in(request)
    LOOKED.admit(caller)
    if isinstance(asked, LookAtSignIn):
        sign_in_id = asked.sign_in_id or sign_in_id_of(asked.user_code or "")
        return await devices.look(caller.organization_id, user_id=caller.user_id, sign_in_id=sign_in_id)
    if how.is_device and asked.step == "approve":
        # Whoever took a token from a device would otherwise keep a sign-in that nobody knows of.
        raise ApiError(Code.SIGN_IN_REFUSED, "A device cannot sign another one in. Please use a browser.")
    approval = Approval(
        user_id=caller.user_id,
        organization_id=caller.organization_id,
        signed_in_at=how.at,
        signed_in_with=how.provider,
    )
    return await devices.decide(
        caller.organization_id,
        approval,
        is_approved=asked.step == "approve",
        sign_in_id=asked.sign_in_id,
        user_code=asked.user_code,
    )
