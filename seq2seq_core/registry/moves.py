"""Moves of the alias champion by a person: a forced promotion and the way back; both check the version first."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.prepared_digest import fault_of_prepared
from seq2seq_core.registry.bundles import download_bundle
from seq2seq_core.registry.judgement import Candidate
from seq2seq_core.registry.ledger import Entry, Kind, Ledger
from seq2seq_core.registry.ledger_writing import LedgerConflict, append, synchronise
from seq2seq_core.registry.outputs import TestRows, decode_version, read_rows, score_outputs
from seq2seq_core.registry.parity import check_parity
from seq2seq_core.registry.promotion import ALREADY, Ruling, decide_alias
from seq2seq_core.registry.versions import DIGEST_TAG, find_existing, find_model, find_number, list_models
from seq2seq_core.tracking.mlflow.address import displayed_uri
from seq2seq_core.tracking.mlflow.store import connect_existing, store_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

DIGITS = 12

logger = logging.getLogger(__name__)


def read_history(name: str, paths: Paths) -> tuple[Entry, ...]:
    """The ledger of a model, in order; a move that was made elsewhere is noted first.

    Args:
        name: the registered model's name.
        paths: the workspace, whose registry is read.

    Raises:
        UserError: the registry has no such model.
        TrackingUnreachable: MLflow does not answer.
    """
    client = connect_existing(paths)
    with store_errors(paths):
        _check_model(client, name, paths)
        return synchronise(client, name).entries


def force_version(number: str, reason: str, settings: Settings, paths: Paths) -> Entry:
    """Gives a version the alias without a comparison; of the champion it says so, by an entry that is no move and is not written.

    Args:
        number: the version's.
        reason: for the ledger.
        settings: ``register.model_name``.
        paths: the workspace.

    Raises:
        UserError: there is no such version.
        BundleError: the version is damaged, or answers otherwise than when it was evaluated; the alias stays.
        TrackingUnreachable: MLflow does not answer.
    """
    for split in ("test", "train"):
        if fault := fault_of_prepared(split, paths):
            logger.warning("%s; a forced promotion compares nothing, so that the alias moves all the same", fault)
    return _move("forced", number, reason, settings, paths)


def promote_version(number: str, settings: Settings, paths: Paths, is_first: bool) -> Ruling:
    """Lets the gate decide on a registered version, which decodes the workspace's test set as the champion does.

    Args:
        number: the version's.
        settings: sections ``register`` and ``evaluate``.
        paths: the workspace; reads the prepared corpus.
        is_first: whether the version may be the first after the alias was removed.

    Raises:
        UserError: there is no such version, or the test set is not the one that ``prepare`` wrote.
        BundleError: the version is damaged, or answers otherwise than when it was evaluated; the alias stays.
        MissingInput: there is no prepared test set.
        TrackingUnreachable: MLflow does not answer.
    """
    client, name = connect_existing(paths), settings.register_.model_name
    with store_errors(paths):
        _check_model(client, name, paths)
        version = find_existing(client, name, number, paths)
        _check_answers(version, settings, paths)
        rows = read_rows(settings, paths)
        _tell_of_other_rows(version, rows, synchronise(client, name))
        hypotheses = decode_version(version, rows, settings, paths)
        scores = score_outputs(hypotheses, rows, settings)
        bundle = download_bundle(version, paths)
        candidate = Candidate(version, bundle, version.tags[DIGEST_TAG], rows, hypotheses, scores)
        return decide_alias(candidate, settings, paths, client, is_first, is_asked=True)


def roll_back(number: str, reason: str, settings: Settings, paths: Paths) -> Entry:
    """Gives the alias back to an earlier champion; of the champion it says so, by an entry that is no move and is not written.

    Args:
        number: the version's; empty: the champion before the present one.
        reason: for the ledger; may be empty.
        settings: ``register.model_name``.
        paths: the workspace.

    Raises:
        UserError: there is no such version or no earlier champion.
        BundleError: the version is damaged, or answers otherwise than when it was evaluated; the alias stays.
        TrackingUnreachable: MLflow does not answer.
    """
    return _move("rolled back", number, reason, settings, paths)


def _move(kind: Kind, number: str, reason: str, settings: Settings, paths: Paths) -> Entry:
    client, name = connect_existing(paths), settings.register_.model_name
    with store_errors(paths):
        _check_model(client, name, paths)
        while True:
            ledger = synchronise(client, name)
            target = number or _champion_before(ledger, name, client)
            version = find_existing(client, name, target, paths)
            if ledger.champion == target:
                return Entry(kind, target, target, target, ALREADY)
            _check_answers(version, settings, paths)
            why = reason or _why_back(target, ledger)
            try:
                return append(client, name, Entry(kind, target, target, ledger.champion, why), ledger)
            except LedgerConflict as conflict:
                logger.warning("%s; the ledger is read again", conflict)


def _why_back(target: str, ledger: Ledger) -> str:
    """The reason of a rollback for which nobody gave one."""
    if ledger.champion:
        return f"back from version {ledger.champion}"
    lost = next((entry for entry in reversed(ledger.entries) if entry.is_move), None)
    if lost is not None and lost.before == target:
        return f"the alias is given back to version {target}, which lost it without this ledger"
    return "no version held the alias"


def _tell_of_other_rows(version: ModelVersion, rows: TestRows, ledger: Ledger) -> None:
    """Says that the last decision on a version was on another test set."""
    receipts = [one.receipt for one in ledger.entries if one.version == str(version.version)]
    last = next((receipt["test_digest"] for receipt in reversed(receipts) if "test_digest" in receipt), rows.digest)
    if last != rows.digest:
        what = "the last decision on version %s was on another test set (%s, now %s): it is compared on the present rows"
        logger.warning(what, version.version, last[:DIGITS], rows.digest[:DIGITS])


def _check_answers(version: ModelVersion, settings: Settings, paths: Paths) -> None:
    rows = check_parity(version, paths, settings.runtime.device)
    if rows:
        logger.info("version %s answers %d test rows as when it was evaluated", version.version, rows)
    else:
        logger.warning(
            "version %s has no rows to compare its answers with, because an earlier release registered it", version.version
        )


def _champion_before(ledger: Ledger, name: str, client: MlflowClient) -> str:
    """The last champion other than the present one that was not given up by a rollback."""
    for entry in reversed(ledger.entries):
        if entry.is_move and entry.champion == ledger.champion and entry.kind != "rolled back" and entry.before:
            return entry.before
    others = [number for number in ledger.champions() if number != ledger.champion and find_number(client, name, number)]
    holder = f"version {ledger.champion} of {name!r} was the first champion" if ledger.champion else f"{name!r} has no champion"
    if not others:
        raise UserError(f"{holder}, and no other version that is still there ever was; `s2s promote` lets the gate decide on one")
    known = f"later champions: {', '.join(others)}; expected one of these, as in `s2s rollback {others[0]}`"
    raise UserError(f"{holder}, so that there is none before it; {known}")


def _check_model(client: MlflowClient, name: str, paths: Paths) -> None:
    if find_model(client, name) is None:
        known = ", ".join(list_models(client)) or "none"
        raise UserError(f"the registry {displayed_uri(paths)} has no model {name!r} (register.model_name); it has: {known}")
