"""The connections of a tributary.yaml as Airflow DAGs. Written by `tributary export airflow`.

Write it anew when the configuration changes; don't edit it.

* One DAG for each connection, with one task: `tributary sync CONNECTION`. Streams with a schedule of
  their own have a DAG of their own.
* Every run is a sync "now": it brings what is new since the last run, whatever the run's logical
  date is. Data intervals are not used. Clearing a task runs a sync again, which is safe at any time
  and brings what has come since. A backfill runs as many syncs as it has dates, one after another;
  the first of them brings everything. To copy a connection anew, trigger its DAG with
  `{"full_refresh": true}`.
* `catchup` is off: after a downtime one run brings all that was missed.
* Runs of one connection never overlap.
* `windows` are kept: a scheduled run outside of them is skipped. A run that someone triggers is not.
* Exit codes: 0 is success. 2 (bad configuration) fails without a retry. 1 (failed), 3 (some streams
  failed, the others committed) and 130 (interrupted) fail, and are tried again.
* `schedule: manual` is a DAG without a schedule: trigger it. `schedule: continuous`, and an interval
  shorter than a minute, is a run every minute; for less delay use `tributary daemon`.
* The pools must exist:
  `tributary export airflow --pools -o pools.json && airflow pools import pools.json`.

A worker needs the program `tributary`, the configuration, and the variables that it names. Where they
are elsewhere on a worker, set TRIBUTARY_BIN and TRIBUTARY_CONFIG there.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import tempfile
from datetime import timedelta

import pendulum

try:  # Airflow 3
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.9 and later
    from airflow import DAG
    from airflow.decorators import task
try:
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
except ImportError:
    from airflow.exceptions import AirflowFailException, AirflowSkipException

PROGRAM = os.environ.get("TRIBUTARY_BIN", "tributary")
CONFIG = os.environ.get("TRIBUTARY_CONFIG", @CONFIG@)
FOLDER = os.path.dirname(os.path.abspath(CONFIG))
# How long a run that must stop may take to finish its commit.
GRACE_SECONDS = 60

SYNCS = @SYNCS@

log = logging.getLogger("airflow.task")


def run(spec, full_refresh):
    """Runs one sync, its log in the task's log. Returns its counts, or raises why it failed."""
    command = [PROGRAM, "--config", CONFIG, "sync", "--output", "json", *spec["options"]]
    if full_refresh:
        command.append("--full-refresh")
    command += ["--", *spec["targets"]]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as result:
        code = execute(command, result)
        result.seek(0)
        text = result.read()
    try:
        report = json.loads(text)
    except ValueError:
        report = {}
    if code == 0:
        return summary(report)
    why = explain(report) or f"exit code {code}; its log stands above"
    if code == 2:
        raise AirflowFailException(f"bad configuration, not tried again: {why}")
    if code == 3:
        raise RuntimeError(f"some streams failed, the others committed: {why}")
    if code == 130 or code < 0:
        raise RuntimeError(f"interrupted: what was committed stays, the next try goes on ({why})")
    raise RuntimeError(f"failed: {why}")


def execute(command, result):
    """Runs a command to its end. Where the task must stop, it may finish its commit."""
    try:
        process = subprocess.Popen(
            command,
            # Relative paths of the configuration mean the same on every worker.
            cwd=FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=result,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as why:
        raise AirflowFailException(
            f"{PROGRAM} can't be run in {FOLDER}: {why}. Install it on the worker, or set "
            "TRIBUTARY_BIN and TRIBUTARY_CONFIG."
        ) from why
    try:
        for line in process.stderr:
            log.info("%s", line.rstrip())
        return process.wait()
    except BaseException:
        # The task timed out, or someone marked or cleared it.
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        raise


def is_open(spec):
    """Whether the windows of a connection let it run now."""
    if spec["windows"] is None:
        return True
    now = pendulum.now(spec["timezone"])
    minute = now.hour * 60 + now.minute
    return any(begin <= minute < end for begin, end in spec["windows"][now.isoweekday() % 7])


def summary(report):
    """The counts of a run, small enough for an XCom."""
    connections = report.get("connections") or []
    streams = [stream for connection in connections for stream in connection["streams"]]
    counts = ("records_read", "records_written", "records_rejected", "bytes_read")
    return {
        "loads": sum(connection["loads"] for connection in connections),
        **{name: sum(stream[name] for stream in streams) for name in counts},
    }


def explain(report):
    """What a report says about failures, in one line."""
    if report.get("error"):
        problems = report["error"].get("problems") or []
        return report["error"].get("message") or "; ".join(p["message"] for p in problems)
    messages = []
    for connection in report.get("connections") or []:
        if connection.get("error"):
            messages.append(connection["error"]["message"])
            continue
        failed = (stream for stream in connection["streams"] if stream.get("error"))
        messages += [f"{stream['stream']}: {stream['error']['message']}" for stream in failed]
    return "; ".join(messages)


def make(spec):
    """The DAG of one connection."""
    with DAG(
        dag_id=spec["dag_id"],
        description=spec["description"],
        schedule=spec["schedule"],
        # Only the zone counts: with `catchup` off nothing runs for the past.
        start_date=pendulum.datetime(2024, 1, 1, tz=spec["timezone"]),
        catchup=False,
        max_active_runs=1,
        params={"full_refresh": False},
        tags=["tributary"],
        doc_md=__doc__,
    ) as dag:

        @task(
            task_id=spec["task_id"],
            pool=spec["pool"],
            retries=spec["retries"],
            retry_delay=spec["retry_delay"],
            retry_exponential_backoff=True,
            max_retry_delay=timedelta(hours=1),
            execution_timeout=spec["timeout"],
            # A backfill has its own limit of runs, which is not that of the DAG.
            max_active_tis_per_dag=1,
        )
        def sync(params=None, dag_run=None):
            if not is_open(spec) and "manual" not in str(dag_run.run_type).lower():
                raise AirflowSkipException("outside of the connection's windows")
            return run(spec, bool((params or {}).get("full_refresh")))

        sync()
    return dag


for _spec in SYNCS:
    globals()[_spec["dag_id"]] = make(_spec)
