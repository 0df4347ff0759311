"""What must be there for these tests: an organization on the local stack; and terraform, where it is."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.cloud import firestore

from infra.terraform.offline.schema import ProviderSchema
from infra.terraform.offline.terraform import Terraform, copy_configuration, find_terraform, offline
from tests.infra.planned import ENVIRONMENTS, Plan, run_tests
from tests.support.tenant import Tenant


@pytest.fixture
def tenant(stack_console: firestore.Client) -> Tenant:
    """An organization of the test's own on that stack."""
    return Tenant.create(stack_console)


@pytest.fixture(scope="session")
def terraform() -> Iterator[Terraform]:
    """The real program, with a stand-in for the provider that it would download."""
    program = find_terraform()
    if program is None:
        pytest.skip("there is no terraform on this machine: the .tf files are not checked here")
    with offline(program, ProviderSchema.load()) as found:
        yield found


@pytest.fixture(scope="session")
def configured(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001 nothing is copied in vain
    """What terraform reads, with everything staged beside it. Not to be changed."""
    return copy_configuration(tmp_path_factory.mktemp("configured"))


@pytest.fixture(scope="session")
def plans(terraform: Terraform, configured: Path) -> Mapping[str, Plan]:
    """What would be made in each environment. That terraform's own tests passed is part of it."""
    with ThreadPoolExecutor(len(ENVIRONMENTS)) as threads:
        ran = threads.map(lambda name: run_tests(terraform, configured, environment=name), ENVIRONMENTS)
    results = dict(zip(ENVIRONMENTS, ran, strict=True))
    found = {name: result.plan for name, result in results.items() if result.status == 0 and result.plan is not None}
    assert found.keys() == set(ENVIRONMENTS), "\n".join(result.said for result in results.values())
    return found


@pytest.fixture(scope="session")
def plan(plans: Mapping[str, Plan]) -> Plan:
    """What would be made in production."""
    return plans["production"]
