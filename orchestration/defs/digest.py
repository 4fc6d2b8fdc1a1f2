"""Messages in Dagster: a schedule for the morning and a sensor for alerts, both off by default."""

from dataclasses import dataclass

import dagster as dg

from orchestration.base.lock import running_refresh
from orchestration.base.record import Record
from orchestration.base.settings import Settings
from orchestration.defs.failures import plain_failures
from orchestration.digest.run import Outcome, Run

DIGEST_JOB, ALERTS_JOB = "digest", "alerts"
SCHEDULE, SENSOR = "digest_in_the_morning", "alerts_after_refresh"
# Days off are left out by the company's own calendar; the hours after it serve who had quiet hours.
MORNING = "30 8-11 * * *"


@dataclass(frozen=True)
class Messages:
    """What Dagster runs to send messages."""

    jobs: list[dg.JobDefinition]
    schedule: dg.ScheduleDefinition
    sensor: dg.SensorDefinition


def build_digest(settings: Settings, timezone: str) -> Messages:
    """The jobs `digest` and `alerts`, which do what `voronka digest` does."""

    @dg.op(name="send_digest")
    def send_digest(context: dg.OpExecutionContext) -> None:
        with plain_failures():
            _tell(context, Run(settings).digests())

    @dg.op(name="send_alerts")
    def send_alerts(context: dg.OpExecutionContext) -> None:
        with plain_failures():
            _tell(context, Run(settings).alerts(patience=30))

    @dg.job(
        name=DIGEST_JOB,
        executor_def=dg.in_process_executor,
        description="A word in the morning to everybody in notifications.yml.",
    )
    def digest() -> None:
        send_digest()

    @dg.job(
        name=ALERTS_JOB,
        executor_def=dg.in_process_executor,
        description="What engineers have to know now: `voronka digest --alerts` sends the same.",
    )
    def alerts() -> None:
        send_alerts()

    schedule = dg.ScheduleDefinition(
        name=SCHEDULE,
        job=digest,
        cron_schedule=MORNING,
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="From 8:30 to 11:30, each hour; nobody gets it twice.",
    )
    return Messages([digest, alerts], schedule, _sensor(settings, alerts))


def _sensor(settings: Settings, alerts: dg.JobDefinition) -> dg.SensorDefinition:
    """Alerts when a refresh has ended, well or badly, whoever ran it."""

    @dg.sensor(
        name=SENSOR,
        job=alerts,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Sends alerts after each refresh, of Dagster or of the command.",
    )
    def alerts_after_refresh(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if not settings.notifications_file.exists():
            return dg.SensorResult(skip_reason="There is no notifications.yml.")
        if running_refresh(settings) is not None:
            return dg.SensorResult(skip_reason="A refresh runs; alerts come after it.")
        record = Record.load(settings.record_file)
        ended = f"{record.run_id} {record.saved_at}"
        if not record.run_id or ended == context.cursor:
            return dg.SensorResult(skip_reason="No refresh has ended since.")
        return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=ended)

    return alerts_after_refresh


def _tell(context: dg.OpExecutionContext, outcome: Outcome) -> None:
    """What was sent goes to the run's log; what was not fails it, after all others."""
    for text in (*outcome.sent, *outcome.skipped, *(f"held: {it}" for it in outcome.held)):
        context.log.info(text)
    troubles = [*outcome.failed, *(str(it) for it in outcome.wrong)]
    if troubles:
        raise dg.Failure("\n".join(troubles), allow_retries=False)
