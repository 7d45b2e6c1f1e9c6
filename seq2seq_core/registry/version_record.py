"""What a registered version says of itself on MLflow's pages: a description, a few tags, its card and the files of the decision."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_core.corpus.pairs import SOURCE, TARGET
from seq2seq_core.evaluation.several_references import references_in
from seq2seq_core.model_card.card import HTML_FILE
from seq2seq_core.model_card.drift_section import render_drift
from seq2seq_core.registry.ledger import CHAMPION
from seq2seq_core.registry.profiles.drift_check import DRIFT_TAG
from seq2seq_core.registry.receipts import CHALLENGER, EXPERIMENT, Receipt
from seq2seq_core.registry.standing.restatement import DECISION_TAG, drop_challenger, restate_description
from seq2seq_core.registry.versions import logged_model_id
from seq2seq_core.tracking.dvc_experiment import current_experiment
from seq2seq_core.tracking.runs.graph_summary import EXPERIMENT_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from seq2seq_core.model_card.facts import Standing
    from seq2seq_core.registry.judgement import Candidate, Judgement

EVIDENCE_FILE, ROWS_FILE = "evidence.json", "rows.jsonl"
NOT_SCORED = "–"
"""Of a champion in a metric that is too slow for comparisons."""
_GAP = "&emsp;"
"""Between columns: MLflow's pages set the cells of a table without a gap, and show no alignment."""


def record_decision(
    client: MlflowClient, version: ModelVersion, receipt: Receipt, scores: dict[str, float], standing: Standing | None
) -> None:
    """Writes a decision to the version, and gives a challenger its alias.

    Args:
        client: the MLflow client.
        version: the version.
        receipt: the decision.
        scores: the version's scores on the test set, by metric.
        standing: what the version is by the ledger; None: the decision says it.
    """
    name, number = receipt.model_name, receipt.version
    version = client.get_model_version(name, number)  # a move may have changed its pages since it was read
    word = receipt.decision if standing is None else standing.word
    tags = {DECISION_TAG: word}
    if receipt.champion_version is not None:
        tags["compared_with"] = receipt.champion_version
    if receipt.decision == EXPERIMENT:
        tags[EXPERIMENT_TAG] = current_experiment()
    for key, value in tags.items():
        if version.tags.get(key) != value:
            client.set_model_version_tag(name, number, key, value)
    text = describe(receipt, scores, _card_links(client, version))
    text = text if standing is None else restate_description(text, standing)
    if version.description != text:
        client.update_model_version(name, number, text)
    model = client.get_registered_model(name)
    challenger = str(model.aliases.get(CHALLENGER, ""))
    if word == CHALLENGER and challenger != number:
        client.set_registered_model_alias(name, CHALLENGER, number)
    elif word == CHAMPION:
        drop_challenger(client, name, number)


def record_evidence(client: MlflowClient, candidate: Candidate, judgement: Judgement, card: Mapping[str, str]) -> None:
    """Attaches the evidence of a decision to the version's model: card, gate's figures, drift, both outputs of each row.

    Args:
        client: the MLflow client.
        candidate: the version.
        judgement: the decision.
        card: the card's files, by name; empty: there is no card.
    """
    model_id, hypotheses = logged_model_id(candidate.version), candidate.hypotheses
    if model_id is None:
        return
    if judgement.drift is not None:  # before the files, whose absence tells that a killed writer did not come to the end
        version = candidate.version
        client.set_model_version_tag(version.name, version.version, DRIFT_TAG, judgement.drift.tag())
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room)
        evidence = judgement.evidence.as_json() | {"champion_version": judgement.rival.version, "reason": judgement.reason}
        (folder / EVIDENCE_FILE).write_text(json.dumps(evidence, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        with (folder / ROWS_FILE).open("w", encoding="utf-8") as file:
            others: Sequence[str | None] = judgement.rival.hypotheses or [None] * len(hypotheses)
            for pair, own, other in zip(candidate.rows.pairs, hypotheses, others, strict=True):
                row: dict[str, Any] = {SOURCE: pair[SOURCE], TARGET: pair[TARGET], "version": own, "champion": other}
                if len(references := references_in(pair[TARGET])) > 1:
                    row["references"] = references
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        for name, text in (*card.items(), *(render_drift(judgement.drift).items() if judgement.drift else ())):
            (folder / name).write_text(text, encoding="utf-8")
        client.log_model_artifacts(model_id, str(folder))


def has_evidence(client: MlflowClient, version: ModelVersion) -> bool:
    """Whether card and evidence of a decision are attached to the version's model; a killed writer may have left them out.

    Args:
        client: the MLflow client.
        version: the version.
    """
    model_id = logged_model_id(version)
    return model_id is None or {EVIDENCE_FILE, HTML_FILE} <= _attached(client, model_id)


def _attached(client: MlflowClient, model_id: str) -> set[str]:
    """The names of the files beside a logged model's own."""
    return {Path(file.path).name for file in client.list_logged_model_artifacts(model_id)}


def _card_links(client: MlflowClient, version: ModelVersion) -> str:
    """The links to the version's card, relative to MLflow's pages; empty where there is no card."""
    model_id = logged_model_id(version)
    if model_id is None or HTML_FILE not in _attached(client, model_id):
        return ""
    experiment = client.get_logged_model(model_id).experiment_id
    page = f"#/experiments/{experiment}/models/{model_id}/artifacts"
    file = f"ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files?artifact_file_path={HTML_FILE}"
    return f"Model card: [{HTML_FILE}]({page}) among the artifacts of the model, or [download it]({file})."


def describe(receipt: Receipt, scores: dict[str, float], links: str = "") -> str:
    """The Markdown description of a version: its score, decision and reason, and its scores beside the champion's.

    Args:
        receipt: the decision.
        scores: the version's scores on the test set, by metric.
        links: to the version's card, as Markdown.
    """
    rival = receipt.champion_scores
    heads = ["metric", "this version", *([f"champion v{receipt.champion_version}"] if rival else [])]
    # The table of versions shows the beginning of the first line as it stands: no Markdown there.
    lines = [_first_line(receipt), "", receipt.reason, "", *([links, ""] if links else [])]
    lines += [f"| {f' | {_GAP}'.join(heads)} |", "| --- " * len(heads) + "|"]
    for metric, value in scores.items():
        shown = [f"{value:.6g}", *([f"{rival[metric]:.6g}" if metric in rival else NOT_SCORED] if rival else [])]
        lines.append(f"| {f' | {_GAP}'.join([metric, *shown])} |")
    return "\n".join(lines) + "\n"


def _first_line(receipt: Receipt) -> str:
    """The score, what it was compared with, and the decision: the words that a narrow column shows come first."""
    figures = receipt.figures
    against = f", v{receipt.champion_version} {receipt.champion_score:.4g}" if receipt.champion_score is not None else ""
    interval = ""
    if "gain_low" in figures:
        interval = f", gain {figures['gain']:.3g} ({figures['gain_low']:.3g} to {figures['gain_high']:.3g})"
    return f"{receipt.score:.4g} {receipt.metric}{against}{interval}: {receipt.decision}"
