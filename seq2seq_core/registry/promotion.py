"""The decision on a version's alias: judged by the gate, claimed in the ledger, then recorded with the version."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import read_teacher
from seq2seq_core.registry.judgement import Candidate, Judgement, judge, policy_of
from seq2seq_core.registry.ledger import CHAMPION, Entry, Ledger
from seq2seq_core.registry.ledger_writing import ATTEMPTS, LedgerConflict, append, read_settled, synchronise
from seq2seq_core.registry.outputs import TestRows
from seq2seq_core.registry.profiles.drift_check import keep_drift, with_drift_policy
from seq2seq_core.registry.receipts import CHALLENGER, EXPERIMENT, Receipt, evidence_figures, note_promotion
from seq2seq_core.registry.standing.restatement import restate
from seq2seq_core.registry.standing.version_standing import standing_of
from seq2seq_core.registry.version_card import make_card
from seq2seq_core.registry.version_record import has_evidence, record_decision, record_evidence
from seq2seq_core.tracking.dvc_experiment import current_experiment
from seq2seq_core.tracking.mlflow.address import displayed_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)
ALREADY = "It is the champion already."
SCORE_TOLERANCE = 1e-6
"""The scores that a registration reads from the reports are rounded; those of outputs that are scored again are not."""


@dataclass(frozen=True)
class Ruling:
    """What became of a version.

    Attributes:
        receipt: the decision.
        counted: whether a comparison was counted on the test set; the same evidence is counted once.
    """

    receipt: Receipt
    counted: bool = False


def decide_alias(
    candidate: Candidate, settings: Settings, paths: Paths, client: MlflowClient, is_first: bool = False, is_asked: bool = False
) -> Ruling:
    """Decides whether a version becomes the champion, and moves the alias.

    A DVC experiment moves no alias and writes nothing to the ledger. The same version is not decided on twice by
    the same evidence under the same champion. A version from which a person took the alias gets it back only by a person's word.

    Args:
        candidate: the version.
        settings: sections ``register`` and ``evaluate``.
        paths: the workspace.
        client: the MLflow client.
        is_first: whether somebody allowed the version to be the first after the alias was removed.
        is_asked: whether a person asked for the promotion of this version.

    Raises:
        UserError: the metric cannot be computed from rows, or its package is missing.
        TrackingUnreachable: MLflow does not answer.
    """
    name, draft = settings.register_.model_name, _draft(candidate, settings, paths)
    while True:
        ledger = synchronise(client, name)
        given_up = ledger.given_up(draft.version)
        if (earlier := _earlier(ledger, draft, is_first)) and not (is_asked and given_up):
            standing = standing_of(draft.version, ledger)
            if not has_evidence(client, candidate.version):
                seen = ledger.until(ledger.find(draft.version) or ledger.entries[-1])
                judgement = judge(candidate, seen, settings, paths, client)
                card = make_card(candidate, earlier, judgement, settings, paths, client, standing)
                record_evidence(client, candidate, judgement, card)
            _record(client, candidate, earlier, ledger)
            return Ruling(earlier)
        if ledger.champion == draft.version:
            return Ruling(replace(draft, decision=CHAMPION, reason=ALREADY))
        judgement = judge(candidate, ledger, settings, paths, client)
        needed = _needed_word(draft.version, ledger, is_first, is_asked) if judgement.promotes else ""
        receipt, counted = _with_judgement(draft, judgement, needed), ledger.looks(candidate.rows.sketch)
        if current_experiment():
            receipt = replace(receipt, decision=EXPERIMENT, reason=f"An experiment moves no alias. {receipt.reason}")
        else:
            try:
                written = append(client, name, _entry(receipt, judgement, ledger, candidate.rows), ledger)
            except LedgerConflict as conflict:
                logger.warning("%s; version %s is decided on anew", conflict, draft.version)
                continue
            if receipt.decision == CHAMPION:
                note_promotion(receipt, paths)
            ledger = Ledger((*ledger.entries, written), written.number)
        keep_drift(judgement.drift, name, draft.version, paths)
        standing = standing_of(draft.version, ledger)
        card = make_card(candidate, receipt, judgement, settings, paths, client, standing)
        record_evidence(client, candidate, judgement, card)
        _record(client, candidate, receipt, ledger)
        return Ruling(receipt, ledger.looks(candidate.rows.sketch) > counted)


def _record(client: MlflowClient, candidate: Candidate, receipt: Receipt, ledger: Ledger) -> None:
    """Writes a decision to the version, anew as long as another writer moves the alias from or to it meanwhile.

    Args:
        client: the MLflow client.
        candidate: the version.
        receipt: the decision.
        ledger: by which the version's card was made.
    """
    name, number = receipt.model_name, receipt.version
    standing = standing_of(number, ledger)
    for _ in range(ATTEMPTS):
        record_decision(client, candidate.version, receipt, candidate.scores, standing)
        newer = read_settled(client, name)
        if (latest := standing_of(number, newer)) == standing:
            return
        restate(client, name, {number}, newer)
        standing = latest


def _draft(candidate: Candidate, settings: Settings, paths: Paths) -> Receipt:
    """The receipt before the decision."""
    metric = settings.register_.metric
    return Receipt(
        registry=displayed_uri(paths),
        model_name=settings.register_.model_name,
        version=str(candidate.version.version),
        bundle_digest=candidate.bundle_digest,
        decision=CHALLENGER,
        reason="",
        metric=metric,
        score=candidate.scores[metric],
        champion_version=None,
        champion_score=None,
        test_digest=candidate.rows.digest,
        policy_digest=with_drift_policy(policy_of(settings.register_).digest, settings),
        teacher=asdict(teacher) if (teacher := read_teacher(paths.prepared_teacher)) else {},
    )


def _earlier(ledger: Ledger, draft: Receipt, is_first: bool) -> Receipt | None:
    """The receipt of the last decision on the version, if its grounds are the same and its champion still holds the alias."""
    entry = ledger.find(draft.version)
    if entry is None or entry.champion != ledger.champion or (is_first and entry.champion != draft.version):
        return None
    try:
        earlier = Receipt.from_json(entry.evidence)
    except ValueError:  # a move by a person has no receipt
        return None
    decided = {
        name: getattr(earlier, name)
        for name in ("decision", "reason", "champion_version", "champion_score", "champion_scores", "figures")
    }
    same = replace(draft, **decided)
    is_equal = math.isclose(draft.score, earlier.score, abs_tol=SCORE_TOLERANCE)
    return same if is_equal and replace(same, registry=earlier.registry, score=earlier.score) == earlier else None


def _needed_word(version: str, ledger: Ledger, is_first: bool, is_asked: bool) -> str:
    """Why a version that the gate promotes needs a person's word as well; empty: it needs none, or has it."""
    if not ledger.champion and ledger.champions() and not is_first:
        removed = f" But somebody removed the alias, which version {ledger.champions()[0]} held last"
        return f"{removed}: `s2s promote {version} --first` gives it to this version."
    given_up = ledger.given_up(version)
    if given_up is not None and not is_asked:
        what = f"entry {given_up.number}, {given_up.shown_kind}: {given_up.reason.rstrip('.')}"
        return f" But a person took the alias from this version ({what}): `s2s promote {version}` asks for it again."
    return ""


def _with_judgement(draft: Receipt, judgement: Judgement, needed: str) -> Receipt:
    """The receipt with the decision."""
    rival = judgement.rival
    return replace(
        draft,
        decision=CHAMPION if judgement.promotes and not needed else CHALLENGER,
        reason=judgement.reason + needed,
        champion_version=rival.version or None,
        champion_score=rival.scores.get(draft.metric),
        champion_scores=rival.scores,
        figures=evidence_figures(judgement.evidence),
    )


def _entry(receipt: Receipt, judgement: Judgement, ledger: Ledger, rows: TestRows) -> Entry:
    """The entry of a decision by the gate."""
    promotes = receipt.decision == CHAMPION
    return Entry(
        kind="promoted" if promotes else "kept",
        version=receipt.version,
        champion=receipt.version if promotes else ledger.champion,
        before=ledger.champion,
        reason=receipt.reason,
        test_rows=rows.sketch,
        comparison=judgement.comparison,
        evidence=receipt.to_json(),
    )
