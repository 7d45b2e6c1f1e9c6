"""MLflow and Prefect: where they are, whether they answer, and whether their clocks agree with this one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx

from flows.diagnosis.finding import Finding
from flows.overview.prefect_facts import find_server, may_have_server
from seq2seq_core.artifacts import Paths
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import ConfigError, Seq2SeqError
from seq2seq_core.proxies import describe_proxy
from seq2seq_core.redaction.redactor import redact

REQUEST_SECONDS = 5.0
MOST_SKEW = 30.0
"""Seconds by which clocks may differ: schedules, signatures of S3 and the times of runs depend on them."""


def find_servers(paths: Paths) -> Iterator[Finding]:
    """MLflow and Prefect.

    Args:
        paths: the workspace.
    """
    yield from _mlflow(paths)
    if not may_have_server(paths):
        yield Finding("Prefect", "no server is configured; `s2s retrain` brings its own")
        return
    address = find_server(paths)
    if address:
        yield from _ask("Prefect", address, f"{address}/health", "start it with `prefect server start`, or unset PREFECT_API_URL")
    else:
        yield Finding("Prefect", "no server is configured; `s2s retrain` brings its own")


def _mlflow(paths: Paths) -> Iterator[Finding]:
    from seq2seq_core.tracking.mlflow.address import configured_place, database_file, displayed_uri, tracking_uri

    try:
        place, file, shown = configured_place(paths), database_file(paths), displayed_uri(paths)
        address = tracking_uri(paths)
    except ConfigError:  # the finding about the settings says what is wrong with them
        yield Finding("MLflow", "its address is not known, because the settings cannot be read", "note")
        return
    except Seq2SeqError as error:
        yield Finding("MLflow", str(error), "problem", "mend the address")
        return
    if address.startswith("http"):
        yield from _ask("MLflow", shown, f"{address.rstrip('/')}/health", f"start it, or change {place}")
    elif file is not None:
        size = f"{file.stat().st_size / 1e6:.1f} MB" if file.is_file() else "not made yet"
        yield Finding("MLflow", f"{shown} ({size})")
    else:
        yield Finding("MLflow", f"{shown} (a database server, which is not asked here)")


def _ask(name: str, shown: str, address: str, mend: str) -> Iterator[Finding]:
    """Whether a server answers, and how far its clock is from this one."""
    started = time.time()
    try:
        answer = httpx.get(address, timeout=REQUEST_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        reason = redact(str(error)) or type(error).__name__
        yield Finding(name, f"{shown} does not answer{describe_proxy(shown)}: {reason}", "problem", mend)
        return
    if answer.status_code in (401, 403):
        yield Finding(name, f"{shown} wants credentials (HTTP status {answer.status_code} without them)", "note")
    elif answer.is_error:
        yield Finding(name, f"{shown} answers {answer.status_code}{describe_proxy(shown)}", "problem", mend)
    else:
        yield Finding(name, f"{shown} answers")
    yield from _clock(name, answer.headers.get("date", ""), (started + time.time()) / 2)


def _clock(name: str, date: str, now: float) -> Iterator[Finding]:
    try:
        skew = parsedate_to_datetime(date).timestamp() - now
    except ValueError:
        return
    # The header has whole seconds.
    if abs(skew) > MOST_SKEW:
        word = "ahead of" if skew > 0 else "behind"
        text = f"is {format_seconds(abs(skew))} {word} this machine's"
        yield Finding(f"clock of {name}", text, "problem", "set the clocks (chrony, systemd-timesyncd)")
    else:
        yield Finding(f"clock of {name}", "agrees with this machine's")
