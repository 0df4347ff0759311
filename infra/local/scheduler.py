"""A local Cloud Scheduler: calls the scheduled functions on their schedules."""

import logging
from collections.abc import Mapping
from datetime import UTC

import httpx
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from infra.local.loopback import NO_TLS
from infra.local.processes import StartError

logger = logging.getLogger(__name__)

HEADERS = {"User-Agent": "Google-Cloud-Scheduler", "X-CloudScheduler": "true"}
"""Headers of the scheduler's calls. In the cloud the platform checks the caller's right; nothing checks it here."""


def scheduler(jobs: Mapping[str, tuple[str, str]], client: httpx.AsyncClient) -> AsyncIOScheduler:
    """Make a scheduler. ``jobs`` holds for each name the five fields of cron and the address to call.

    As in the cloud, a job that still runs is not started again, and a late job is still called.
    """
    made = AsyncIOScheduler(timezone=UTC, job_defaults={"max_instances": 1, "misfire_grace_time": None})
    for name, (schedule, url) in jobs.items():
        made.add_job(_call, CronTrigger.from_crontab(schedule, timezone=UTC), args=(name, url, client), id=name)
    return made


def call_now(url: str) -> httpx.Response:
    """Call a scheduled function now and wait for its answer.

    Raises:
        StartError: the function does not answer.
    """
    try:
        return httpx.post(url, headers=HEADERS, verify=NO_TLS, timeout=120)
    except httpx.TransportError as error:
        message = f"nothing answers at {url}: check that make serve still runs"
        raise StartError(message) from error


async def _call(name: str, url: str, client: httpx.AsyncClient) -> None:
    try:
        answer = await client.post(url, headers=HEADERS)
    except httpx.TransportError as error:
        logger.warning("the scheduled function %s does not answer: %r", name, error)
        return
    if not answer.is_success:
        logger.warning("the scheduled function %s answered %d", name, answer.status_code)
