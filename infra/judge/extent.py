"""What there is to judge: the organizations, and the number of documents to read."""

from datetime import datetime

from shared.documents import queries
from shared.documents.organizations import walk
from shared.documents.paths import OrganizationPaths
from shared.firestore.client import Firestore
from shared.firestore.query import Query

PAGE = 500


async def organizations_of(firestore: Firestore) -> list[str]:
    """List every organization that has a document. Costs one read each.

    Raises:
        StoreUnavailable: Firestore did not answer.
    """
    # The fields are not used, so one short field is enough.
    everyone = Query(collection="organizations", everywhere=True, limit=PAGE, only_fields=("is_active",))
    found = [
        paths.organization_id
        async for page in walk(firestore, everyone)
        for document in page
        # A subcollection may have the same name.
        if (paths := OrganizationPaths.of_organization(document.path)) is not None
    ]
    return sorted(found)


async def documents_to_read(firestore: Firestore, organization_id: str, *, since: datetime | None) -> int:
    """Count the documents that ``read_history`` reads at most. Costs one read per thousand documents, and two more.

    Raises:
        StoreUnavailable: Firestore did not answer.
    """
    paths, at = OrganizationPaths(organization_id), await firestore.now()
    events = Query(collection="audit_events", where=() if since is None else (("at", ">", since),))
    kept = (Query(collection=name) for name in ("sessions", "waiting", "usage_days"))
    counted = [queries.all_licenses(), *kept, events]
    numbers = [await firestore.count(paths.organization, query, at=at) for query in counted]
    return 2 + sum(numbers)  # the organization and its counters
