"""The local stack, started by its own command: one for each worker."""

from collections.abc import Iterator

import pytest
from google.cloud import firestore

from tests.infra.served import Served, told_to_serve


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A whole stack: emulators, functions, gateway."""
    with told_to_serve(tmp_path_factory.mktemp("stack")) as served:
        served.wait_until_ready()
        yield served


@pytest.fixture
def stack_console(local_stack: Served) -> Iterator[firestore.Client]:
    """The admin's hand on that stack."""
    with local_stack.console() as client:
        yield client
