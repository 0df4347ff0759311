"""Which device this is: the same each time, another one for each license and each container, and never the machine."""

import hmac
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import machineid
import pytest

from seatlease._service import device
from seatlease._service.device import hardware_id
from seatlease.cli.checks import _clones
from seatlease.errors import RequestRefused

_MACHINE = "4c4c4544-0042-machine"


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with an id of its own, no container."""
    monkeypatch.delenv("SEATLEASE_HARDWARE_ID", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(device, "_MARKS_OF_CONTAINERS", ())
    _is(monkeypatch, _MACHINE)
    yield
    device.own_id.cache_clear()  # a machine does not change; a test's does


def _is(monkeypatch: pytest.MonkeyPatch, machine_id: str | None, *, host: str = "host-1") -> None:
    def own_id() -> str:
        if machine_id is None:
            raise machineid.MachineIdNotFound
        return machine_id

    monkeypatch.setattr(machineid, "id", own_id)
    monkeypatch.setattr(device, "_SYSTEMDS_FILE", Path("/there/is/none"))
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    device.own_id.cache_clear()


def test_the_id_is_machineids_hash_of_the_license_under_the_machines_id() -> None:
    assert hardware_id("KEY-1") == machineid.hashed_id("seatlease/KEY-1")
    assert re.fullmatch("[0-9a-f]{64}", hardware_id("KEY-1"))


def test_another_license_sees_another_device() -> None:
    assert len({hardware_id("KEY-1"), hardware_id("KEY-2"), hardware_id("ключ"), hardware_id("")}) == 4


def test_the_host_name_is_no_part_of_a_machine_that_has_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    before = hardware_id("KEY-1")
    _is(monkeypatch, _MACHINE, host="renamed")

    assert hardware_id("KEY-1") == before


@pytest.mark.parametrize("mark", ["file", "kubernetes"])
def test_each_container_of_an_image_is_a_device_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mark: str
) -> None:
    if mark == "file":
        monkeypatch.setattr(device, "_MARKS_OF_CONTAINERS", (tmp_path / "none", tmp_path))
    else:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    ids = []
    for host in ("c0ffee", "decaf", "c0ffee"):
        _is(monkeypatch, _MACHINE, host=host)
        ids.append(hardware_id("KEY-1"))

    assert ids[0] == ids[2] != ids[1]
    assert ids[0] == hmac.new(b"host/c0ffee", b"seatlease/KEY-1", sha256).hexdigest()


@pytest.mark.parametrize("machine_id", [None, "", "uninitialized"])
def test_a_machine_without_an_id_is_known_by_its_host_name(
    monkeypatch: pytest.MonkeyPatch, machine_id: str | None
) -> None:
    ids = []
    for host in ("host-1", "host-2"):
        _is(monkeypatch, machine_id, host=host)
        ids.append(hardware_id("KEY-1"))

    assert len(set(ids)) == 2
    assert not any("host" in each for each in ids)


@pytest.mark.parametrize(("of_systemd", "counts"), [("fresh\n", True), ("uninitialized\n", False), ("", False)])
def test_systemds_id_counts_before_a_copy_that_an_image_may_have_kept(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    of_systemd: str,
    counts: bool,  # noqa: FBT001 a table's column
) -> None:
    of_copy = hardware_id("KEY-1")
    file = tmp_path / "machine-id"
    file.write_text(of_systemd)
    monkeypatch.setattr(device, "_SYSTEMDS_FILE", file)
    device.own_id.cache_clear()

    assert (hardware_id("KEY-1") != of_copy) is counts
    assert device.origin() == "the machine's id"


def test_clones_of_one_machine_are_named_unless_the_device_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def usage(instances: int) -> dict[str, object]:
        own = {"hardware_id": hardware_id("KEY-1"), "instances": instances, "addresses": ["10.0.0.1", "10.0.0.2"]}
        return {"licenses": [{"sessions": [{"hardware_id": "another", "instances": 9, "addresses": []}, own]}]}

    (named,) = _clones(usage(2), "KEY-1", None)

    assert named.says == "2 instances share this device's seat, from 10.0.0.1, 10.0.0.2"
    assert "SEATLEASE_HARDWARE_ID" in named.advice
    assert _clones(usage(1), "KEY-1", None) == []
    assert _clones(usage(2), "KEY-1", "laptop-7") == []
    monkeypatch.setenv("SEATLEASE_HARDWARE_ID", "laptop-7")
    assert _clones(usage(2), "KEY-1", None) == []


@pytest.mark.parametrize("given", ["workbench 7", "ü" * 256, "x"])
def test_the_environments_id_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SEATLEASE_HARDWARE_ID", given)

    assert hardware_id("KEY-1") == hardware_id("KEY-2") == given


def test_an_empty_id_in_the_environment_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    without = hardware_id("KEY-1")
    monkeypatch.setenv("SEATLEASE_HARDWARE_ID", "")

    assert hardware_id("KEY-1") == without


@pytest.mark.parametrize("given", ["x" * 257, "a\nb", "a\x7f", "not\udcffUTF-8"])
def test_an_id_that_the_service_would_refuse_is_refused_here(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SEATLEASE_HARDWARE_ID", given)

    with pytest.raises(RequestRefused, match="SEATLEASE_HARDWARE_ID"):
        hardware_id("KEY-1")


def test_another_process_on_this_machine_names_the_same_device() -> None:
    script = "from seatlease._service.device import hardware_id; print(hardware_id('KEY-1'))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    told = [
        subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]

    assert told[0].stdout == told[1].stdout
    assert re.fullmatch("[0-9a-f]{64}\n", told[0].stdout)
