"""Where runs over all organizations stop: one small document for each kind of run, so that the next goes on there."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from shared.documents.paths import OrganizationPaths, run_path
from shared.firestore.client import Document, Firestore
from shared.firestore.query import Cursor
from shared.firestore.retry import READ_WITHIN, retry_until
from shared.firestore.values import Plain, is_opaque
from shared.firestore.writes import Upsert


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A walk, the document behind which it goes on (``None``: its beginning), and when the round of walks began.

    At the beginning of the first walk no round is under way.
    """

    walk: str
    after: Cursor | None = None
    began_at: datetime


def place_from(document: Document | None) -> Place | None:
    """Read a place; ``None`` if there is none, or an admin edited it. The run then begins at the front."""
    if document is None:
        return None
    walk, path, value, began_at = (document.fields.get(name) for name in ("walk", "path", "value", "began_at"))
    if not isinstance(walk, str) or not isinstance(began_at, datetime) or is_opaque(value):
        return None
    if path is None:
        return Place(walk=walk, began_at=began_at)
    if not isinstance(path, str) or not (OrganizationPaths.of(path) or OrganizationPaths.of_organization(path)):
        return None
    return Place(walk=walk, after=Cursor(path=path, value=value), began_at=began_at)


async def remember(firestore: Firestore, run: str, place: Place) -> None:
    """Store a place, whatever is stored. Of two runs at the same time the later write counts, which does no harm.

    Raises:
        StoreUnavailable: Firestore did not answer, also after retries.
    """
    fields: dict[str, Plain] = {
        "walk": place.walk,
        "path": None if place.after is None else place.after.path,
        "value": None if place.after is None else place.after.value,
        "began_at": place.began_at,
    }
    write = Upsert(path=run_path(run), fields={(name,): value for name, value in fields.items()}, numbers={})
    message = "the place of a run could not be stored; its work stays done, and the next run goes on before it"
    await retry_until(partial(firestore.commit, [write]), within=READ_WITHIN, otherwise=message)
