"""The scheduled functions are called when their time comes, as Cloud Scheduler calls them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import tzlocal
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from infra.build.triggers import OnSchedule, triggers
from infra.local.gateway import gateway
from infra.local.processes import StartError
from infra.local.scheduler import call_now, scheduler
from tests.infra.little_server import LittleServer, little_server, soon

NEVER = "0 0 29 2 *"
"""Only a test makes such a job due."""

SCHEDULES = {name: trigger.schedule for name, trigger in triggers().items() if isinstance(trigger, OnSchedule)}


@pytest.fixture
def function() -> Iterator[LittleServer]:
    """A server in the place of a scheduled function."""
    with little_server(200) as server:
        yield server


@asynccontextmanager
async def started(**jobs: str) -> AsyncIterator[AsyncIOScheduler]:
    """A running scheduler of jobs that are never due: for each name the address to call."""
    async with httpx.AsyncClient() as client:
        clock = scheduler({name: (NEVER, url) for name, url in jobs.items()}, client)
        clock.start()
        yield clock
        clock.shutdown(wait=False)


def make_due(clock: AsyncIOScheduler, name: str, *, since: timedelta = timedelta(0)) -> None:
    clock.get_job(name).modify(next_run_time=datetime.now(UTC) - since)


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-24T{time}+00:00")


# When


@pytest.mark.parametrize(
    ("function", "now", "called_at"),
    [
        ("expire_sessions", "12:00:00.000001", "12:01:00"),
        ("expire_sessions", "12:00:59.999999", "12:01:00"),
        ("expire_sessions", "12:01:00", "12:01:00"),
        ("reconcile", "12:00:01", "12:15:00"),
        ("reconcile", "12:15:00", "12:15:00"),
        ("reconcile", "12:44:59", "12:45:00"),
        ("reconcile", "12:45:01", "13:00:00"),
    ],
)
async def test_each_scheduled_function_is_called_by_its_own_schedule(function: str, now: str, called_at: str) -> None:
    async with httpx.AsyncClient() as client:
        clock = scheduler({name: (schedule, "http://nowhere") for name, schedule in SCHEDULES.items()}, client)

        called = {job.id: job.trigger.get_next_fire_time(None, at(now)) for job in clock.get_jobs()}

    assert called.keys() == SCHEDULES.keys()
    assert called[function] == at(called_at)


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock on the wall shows another hour."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "Asia/Tokyo")
        tzlocal.reload_localzone()
        yield
    tzlocal.reload_localzone()


@pytest.mark.usefixtures("in_tokyo")
async def test_the_hours_of_a_schedule_are_those_of_utc() -> None:
    async with httpx.AsyncClient() as client:
        (job,) = scheduler({"nightly": ("30 3 * * *", "http://nowhere")}, client).get_jobs()

        called = job.trigger.get_next_fire_time(None, at("12:00:00"))

    assert called == at("03:30:00") + timedelta(days=1)


async def test_the_gateway_schedules_exactly_the_scheduled_functions(
    monkeypatch: pytest.MonkeyPatch, function: LittleServer
) -> None:
    made: list[AsyncIOScheduler] = []

    def remembered(jobs: dict[str, tuple[str, str]], client: httpx.AsyncClient) -> AsyncIOScheduler:
        made.append(scheduler(jobs, client))
        return made[-1]

    monkeypatch.setattr("infra.local.gateway.scheduler", remembered)
    app = gateway({name: f"{function.url}/{name}" for name in triggers()})

    async with app.router.lifespan_context(app):
        jobs = {job.id for job in made[0].get_jobs()}
        for name in jobs:
            make_due(made[0], name)
        called = {f"/{name}" for name in SCHEDULES}
        await soon(lambda: {heard.path for heard in function.heard} == called, what="the calls")

    await soon(lambda: not made[0].running, what="the scheduler's end")
    assert jobs == SCHEDULES.keys()


# How


async def test_a_call_is_a_post_with_cloud_schedulers_headers(function: LittleServer) -> None:
    async with started(expire_sessions=function.url) as clock:
        make_due(clock, "expire_sessions")
        await soon(lambda: function.answered == 1, what="the call")

    (heard,) = function.heard
    assert (heard.method, heard.body) == ("POST", b"")
    assert heard.headers["user-agent"] == "Google-Cloud-Scheduler"
    assert heard.headers["x-cloudscheduler"] == "true"


async def test_a_job_that_is_still_running_is_not_started_again(
    function: LittleServer, caplog: pytest.LogCaptureFixture
) -> None:
    function.gate.clear()
    async with started(reconcile=function.url) as clock:
        make_due(clock, "reconcile")
        await soon(lambda: function.waiting == 1, what="the first call")

        make_due(clock, "reconcile")

        await soon(lambda: "maximum number of running instances reached" in caplog.text, what="the refusal")
        function.gate.set()
        await soon(lambda: function.answered == 1, what="the answer")

    assert len(function.heard) == 1


async def test_a_call_that_is_late_is_made_nevertheless(function: LittleServer) -> None:
    async with started(expire_sessions=function.url) as clock:
        make_due(clock, "expire_sessions", since=timedelta(seconds=50))

        await soon(lambda: function.answered == 1, what="the call")


async def test_a_function_that_does_not_answer_is_told_and_called_again(
    unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with started(expire_sessions=f"http://127.0.0.1:{unused_tcp_port}") as clock:
        make_due(clock, "expire_sessions")
        await soon(lambda: "expire_sessions does not answer" in caplog.text, what="the warning")

        with little_server(200, port=unused_tcp_port) as function:
            make_due(clock, "expire_sessions")
            await soon(lambda: function.answered == 1, what="the next call")

    assert [record.levelname for record in caplog.records if record.name == "infra.local.scheduler"] == ["WARNING"]
    assert "raised an exception" not in caplog.text


@pytest.mark.parametrize("status", [302, 404, 500, 503])
async def test_a_function_that_fails_is_told(status: int, caplog: pytest.LogCaptureFixture) -> None:
    with little_server(status) as function:
        async with started(reconcile=function.url) as clock:
            make_due(clock, "reconcile")
            await soon(lambda: "the scheduled function" in caplog.text, what="the warning")

    assert f"the scheduled function reconcile answered {status}" in caplog.text
    assert len(function.heard) == 1


# Out of turn


@pytest.mark.parametrize("status", [200, 503])
def test_a_call_out_of_turn_is_the_same_call_and_returns_the_answer(status: int) -> None:
    with little_server(status) as function:
        answer = call_now(function.url)

    assert (answer.status_code, answer.text) == (status, f"told to say {status}")
    (heard,) = function.heard
    assert (heard.method, heard.headers["x-cloudscheduler"]) == ("POST", "true")
    assert heard.headers["user-agent"] == "Google-Cloud-Scheduler"


def test_a_call_out_of_turn_that_nobody_answers_is_an_error_with_a_sentence(unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"

    with pytest.raises(StartError) as error:
        call_now(url)

    assert str(error.value) == f"nothing answers at {url}: check that make serve still runs"
