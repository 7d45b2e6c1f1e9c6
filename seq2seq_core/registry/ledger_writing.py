"""Writing to the ledger, and the alias that follows it."""

from __future__ import annotations

import getpass
import logging
import os
import platform
import random
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from seq2seq_core.registry.ledger import (
    APPLIED_TAG,
    CHAMPION,
    Entry,
    Ledger,
    chain,
    describe_entry,
    entry_tags,
    parse_entry,
)
from seq2seq_core.registry.standing.restatement import restate, touched_versions
from seq2seq_core.registry.versions import LEDGER_SUFFIX, current_champion, find_model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)
MARK_TAG = "mlflow.s2s.mark"
"""Tells an entry from all others, also to the writer whose request failed after it was written."""
SETTLING_READS, SETTLING_SECONDS = 5, 0.4
"""How often and how long apart an alias is looked at before it counts as moved elsewhere."""
ATTEMPTS, LONGEST_PAUSE_SECONDS = 30, 0.2
_PAGE = 1000
_COLLISION = re.compile("IntegrityError|UNIQUE constraint|UniqueViolation|duplicate key|Duplicate entry|Giving up after")
T = TypeVar("T")


class LedgerConflict(Exception):
    """Another writer was faster; the writer has to decide anew.

    Attributes:
        entry: the first entry that came between.
    """

    def __init__(self, entry: Entry) -> None:
        super().__init__(f"entry {entry.number}, by {entry.who}, came between: {entry.kind} {entry.version}")
        self.entry = entry


def read_ledger(client: MlflowClient, name: str) -> Ledger:
    """The ledger of a model; empty where nothing was written yet.

    Args:
        client: the MLflow client.
        name: the registered model's name.
    """
    entries, created = chain(map(parse_entry, _read_versions(client, f"{name}{LEDGER_SUFFIX}"))), _created(client, name)
    present = tuple(entry for entry in entries if entry.model_created == created)
    return Ledger(present, entries[-1].number if entries else 0)


def _read_versions(client: MlflowClient, ledger_name: str) -> list[ModelVersion]:
    """The entries of a ledger as the registry gives them."""
    found: list[ModelVersion] = []
    token: str | None = None
    while True:
        page = client.search_model_versions(f"name = '{ledger_name}'", max_results=_PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _created(client: MlflowClient, name: str) -> str:
    """When the registered model was created; empty where there is none."""
    model = find_model(client, name)
    return "" if model is None else str(model.creation_timestamp)


def append(client: MlflowClient, name: str, entry: Entry, seen: Ledger) -> Entry:
    """Writes an entry and lets the alias follow.

    Args:
        client: the MLflow client.
        name: the registered model's name.
        entry: what was decided on the grounds of ``seen``.
        seen: the ledger as the writer had read it.

    Returns:
        The entry with its number and time.

    Raises:
        LedgerConflict: another entry came between, and the alias follows that one; the decision has to be made anew.
    """
    created = _created(client, name)
    draft = replace(entry, seen=seen.last_number, who=entry.who or current_user(), model_created=created)
    number = _write(client, name, draft)
    ledger = read_ledger(client, name)
    written = next((one for one in ledger.entries if one.number == number), None)
    if written is None:
        raise LedgerConflict(next(one for one in ledger.entries if one.number > draft.seen))
    follow(client, name, ledger)
    return written


def follow(client: MlflowClient, name: str, ledger: Ledger) -> Ledger:
    """Lets the alias and the pages of the versions follow the ledger, until no other entry came meanwhile.

    It also completes the move of a writer that was killed.

    Args:
        client: the MLflow client.
        name: the registered model's name.
        ledger: as read now.

    Returns:
        The ledger that the alias follows.
    """
    touched: set[str] = set()
    while ledger.last is not None:
        if not ledger.last.is_applied:
            _set_alias(client, name, ledger.champion)
            touched |= touched_versions(ledger.last)
            _despite_others(restate, client, name, touched, ledger)
            entry = str(ledger.last.number)
            _despite_others(client.set_model_version_tag, f"{name}{LEDGER_SUFFIX}", entry, APPLIED_TAG, "true")
        newer = read_ledger(client, name)
        if newer.last is not None and newer.last.number == ledger.last.number:
            # A slower writer may have set the alias after us, by an older entry.
            if current_champion(client, name) != newer.champion:
                _set_alias(client, name, newer.champion)
            return newer
        _despite_others(restate, client, name, touched, newer)  # what the other entry changed since
        ledger = newer
    return ledger


def read_settled(client: MlflowClient, name: str) -> Ledger:
    """The ledger once the writer of its last entry has restated the versions, or had the time to; then this process does it.

    Until then that writer may still put back an older description of a version.

    Args:
        client: the MLflow client.
        name: the registered model's name.
    """
    for _ in range(SETTLING_READS):
        ledger = read_ledger(client, name)
        if ledger.last is None or ledger.last.is_applied:
            return ledger
        time.sleep(SETTLING_SECONDS)
    return follow(client, name, ledger)


def synchronise(client: MlflowClient, name: str) -> Ledger:
    """The ledger and the alias in agreement: completes a move that was interrupted, and adopts one that was made elsewhere.

    Args:
        client: the MLflow client.
        name: the registered model's name.
    """
    for _ in range(ATTEMPTS):
        ledger, holder = read_ledger(client, name), current_champion(client, name)
        if ledger.last is not None and not ledger.last.is_applied:
            return follow(client, name, ledger)
        if holder == ledger.champion:
            return ledger
        if not _stays_apart(client, name, ledger, holder):
            continue
        what = f"the alias was given to version {holder}" if holder else f"the alias was removed from version {ledger.champion}"
        entry = Entry("adopted", holder or ledger.champion, holder, ledger.champion, f"{what} without this ledger")
        try:
            append(client, name, entry, ledger)
        except LedgerConflict:
            continue
        logger.warning("%s of %r; the ledger notes it", entry.reason, name)
    return read_ledger(client, name)


def _stays_apart(client: MlflowClient, name: str, ledger: Ledger, holder: str) -> bool:
    """Whether the alias stays where the ledger does not say.

    A slow writer may set the alias by an older entry after a newer one was applied; it then sees the newer one and sets it right.
    """
    for _ in range(SETTLING_READS):
        time.sleep(SETTLING_SECONDS)
        if read_ledger(client, name).last_number != ledger.last_number or current_champion(client, name) != holder:
            return False
    return True


def current_user() -> str:
    """The user and the machine, as ``user@machine``."""
    try:
        user = os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        user = str(os.getuid())
    return f"{user}@{platform.node()}"


def _set_alias(client: MlflowClient, name: str, version: str) -> None:
    if version:
        _despite_others(client.set_registered_model_alias, name, CHAMPION, version)
    elif current_champion(client, name):
        client.delete_registered_model_alias(name, CHAMPION)


def _write(client: MlflowClient, name: str, entry: Entry) -> int:
    """Writes an entry once; returns its number. Retries where other writers took the numbers it tried.

    A request may fail after it has written the entry, at what MLflow does next. The entry is then found by a mark of its own: a
    second one of the same writer would make it believe that another one was faster.
    """
    ledger_name = f"{name}{LEDGER_SUFFIX}"
    if find_model(client, ledger_name) is None:
        _create(client, ledger_name, name)
    source = f"models:/{name}/{entry.version}"
    text = describe_entry(entry, name)
    mark = uuid.uuid4().hex

    def write_once() -> int:
        written = [one for one in _read_versions(client, ledger_name) if one.tags.get(MARK_TAG) == mark] if has_tried else []
        if not written:
            has_tried.append(True)
            tags = entry_tags(entry) | {MARK_TAG: mark}
            written = [client.create_model_version(ledger_name, source, tags=tags, description=text)]
        return int(written[0].version)

    has_tried: list[bool] = []
    return _despite_others(write_once)


def _despite_others(call: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """The result of a call, made again where the database refused it because another writer was at the same row."""
    from mlflow.exceptions import MlflowException

    for _ in range(ATTEMPTS - 1):
        try:
            return call(*arguments, **named)
        except MlflowException as error:
            if not _COLLISION.search(str(error)):
                raise
            time.sleep(random.uniform(0.0, LONGEST_PAUSE_SECONDS))
    return call(*arguments, **named)


def _create(client: MlflowClient, ledger_name: str, name: str) -> None:
    """Creates the ledger's registered model, unless another writer has just done so."""
    from mlflow.exceptions import MlflowException

    text = (
        f"The history of the alias `champion` of `{name}`, written by seq2seq-flows: each version here is one decision. The tags"
        " say which version was decided on, who is champion since, and who was before. `s2s history` shows it as a table."
    )
    try:
        client.create_registered_model(ledger_name, description=text)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
