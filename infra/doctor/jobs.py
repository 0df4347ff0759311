"""Check that Cloud Scheduler's jobs are enabled, follow ``infra/functions.json``, and succeeded lately."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.triggers.cron import CronTrigger
from google.cloud.scheduler_v1 import CloudSchedulerClient, Job
from google.rpc import code_pb2

from infra.build.triggers import OnSchedule, deployed_name, triggers
from infra.doctor.finding import Area, Finding
from infra.doctor.project import ANSWER_WITHIN_SECONDS, Project

_UTC_NAMES = {"UTC", "Etc/UTC"}

_LATE_AFTER = timedelta(minutes=5)
"""Added to a job's interval: a run takes at most a minute, and the scheduler may be late."""


def check_jobs(project: Project, *, now: datetime | None = None) -> list[Finding]:
    area = Area(
        name="scheduler",
        api="cloudscheduler.googleapis.com",
        role="roles/cloudscheduler.viewer",
        project=project.project,
    )
    looking = _Looking(area=area, project=project, now=now or datetime.now(UTC))
    return area.ask("jobs", lambda: list(looking.at_all()))


def interval_of(schedule: str, *, now: datetime) -> timedelta:
    """The time between the next two runs of a schedule in cron's five fields."""
    trigger = CronTrigger.from_crontab(schedule, timezone=UTC)
    first: datetime = trigger.get_next_fire_time(None, now)
    second: datetime = trigger.get_next_fire_time(first, first + timedelta(microseconds=1))
    return second - first


@dataclass(frozen=True, kw_only=True, slots=True)
class _Looking:
    area: Area
    project: Project
    now: datetime

    def at_all(self) -> Iterator[Finding]:
        client = self.project.client(CloudSchedulerClient, "scheduler")
        location = f"projects/{self.project.project}/locations/{self.project.region}"
        listed = client.list_jobs(parent=location, retry=None, timeout=ANSWER_WITHIN_SECONDS)
        jobs = {job.name.rpartition("/")[2]: job for job in listed}
        for function, trigger in triggers().items():
            if isinstance(trigger, OnSchedule):
                name = deployed_name(function)
                if name in jobs:
                    yield self._state(name, jobs[name])
                    yield self._schedule(name, jobs[name], trigger.schedule)
                    yield self._last_run(name, jobs[name], trigger.schedule)
                else:
                    found = "missing, so nothing calls the function"
                    yield self.area.wrong(f"job {name}", found, mend=self.project.apply)

    @property
    def _where(self) -> str:
        return f"--location={self.project.region} --project={self.project.project}"

    def _state(self, name: str, job: Any) -> Finding:  # noqa: ANN401 Google's messages have no static type
        state = Job.State(job.state)
        subject = f"job {name}"
        if state is Job.State.ENABLED:
            return self.area.ok(subject, "enabled")
        if state is Job.State.PAUSED:
            mend = f"gcloud scheduler jobs resume {name} {self._where}"
            return self.area.wrong(subject, "is paused", mend=mend)
        # DISABLED: the system disabled it. UPDATE_FAILED: the last change did not take effect.
        return self.area.wrong(subject, f"has the state {state.name}", mend=self.project.apply)

    def _schedule(self, name: str, job: Any, schedule: str) -> Finding:  # noqa: ANN401 as above
        subject = f"schedule of {name}"
        if job.schedule == schedule and job.time_zone in _UTC_NAMES:
            return self.area.ok(subject, f"{schedule} UTC, as infra/functions.json says")
        return self.area.wrong(
            subject,
            f"{job.schedule} {job.time_zone}, but infra/functions.json says {schedule} UTC",
            mend=f"gcloud scheduler jobs update http {name} --schedule='{schedule}' --time-zone=Etc/UTC {self._where}",
        )

    def _last_run(self, name: str, job: Any, schedule: str) -> Finding:  # noqa: ANN401 as above
        subject = f"last run of {name}"
        run = f"gcloud scheduler jobs run {name} {self._where}"
        last: datetime | None = job.last_attempt_time
        if last is None:
            return self.area.wrong(subject, "the job has never run", mend=run)
        ago = timedelta(seconds=int((self.now - last).total_seconds()))
        if job.status.code:
            logs = (
                f"gcloud logging read 'resource.labels.service_name=\"{name}\" severity>=ERROR' "
                f"--freshness=1h --project={self.project.project}"
            )
            return self.area.wrong(subject, f"failed {ago} ago: {_words(job.status)}", mend=logs)
        if ago > interval_of(schedule, now=self.now) + _LATE_AFTER:
            return self.area.wrong(subject, f"succeeded {ago} ago, which is too long ago", mend=run)
        return self.area.ok(subject, f"succeeded {ago} ago")


def _words(status: Any) -> str:  # noqa: ANN401 as above
    code = code_pb2.Code.Name(status.code) if status.code in code_pb2.Code.values() else f"code {status.code}"
    return f"{code} {status.message}".rstrip()
