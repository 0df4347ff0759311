"""A subscriber of the audit topic, like a consumer of the audit trail."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from infra.local.audit_topic import Received, Subscription
from tests.support.tenant import Tenant


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """A subscription of the test's own, and what came through it so far, of every organization."""

    subscription: Subscription
    messages: list[Received] = field(default_factory=list)

    def wait_for(self, event_ids: Collection[str], *, within: float = 20) -> None:
        """Receive until each of these was received; it fails when one does not come ``within`` seconds."""
        deadline = time.monotonic() + within
        while missing := set(event_ids) - {message.event["event_id"] for message in self.messages}:
            assert time.monotonic() < deadline, f"{len(missing)} did not come: {sorted(missing)[:5]}"
            self.messages.extend(self.subscription.pull(timeout=1))

    def of(self, tenant: Tenant) -> list[Received]:
        """What came of one organization, in the order in which it came; of one event id only the first."""
        first = {message.event["event_id"]: message for message in reversed(self.messages)}
        return [
            message
            for message in self.messages
            if message.ordering_key == tenant.organization_id and message is first[message.event["event_id"]]
        ]
