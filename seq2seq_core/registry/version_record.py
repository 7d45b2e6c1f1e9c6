"""What a registered version says of itself on MLflow's pages: a description, a few tags, and the files of the decision."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_core.corpus.pairs import SOURCE, TARGET
from seq2seq_core.registry.ledger import CHAMPION
from seq2seq_core.registry.receipts import CHALLENGER, EXPERIMENT, Receipt
from seq2seq_core.registry.versions import logged_model_id
from seq2seq_core.tracking.dvc_experiment import current_experiment
from seq2seq_core.tracking.runs.graph_summary import EXPERIMENT_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from seq2seq_core.registry.judgement import Judgement
    from seq2seq_core.registry.outputs import TestRows

EVIDENCE_FILE, ROWS_FILE = "evidence.json", "rows.jsonl"


def record_decision(client: MlflowClient, version: ModelVersion, receipt: Receipt, scores: dict[str, float]) -> None:
    """Writes a decision to the version, and gives a challenger its alias.

    Args:
        client: the MLflow client.
        version: the version.
        receipt: the decision.
        scores: the version's scores on the test set, by metric.
    """
    name, number = receipt.model_name, receipt.version
    tags: dict[str, str] = {"decision": receipt.decision}
    if receipt.champion_version is not None:
        tags["compared_with"] = receipt.champion_version
    if receipt.decision == EXPERIMENT:
        tags[EXPERIMENT_TAG] = current_experiment()
    for key, value in tags.items():
        if version.tags.get(key) != value:
            client.set_model_version_tag(name, number, key, value)
    text = describe(receipt, scores)
    if version.description != text:
        client.update_model_version(name, number, text)
    model = client.get_registered_model(name)
    challenger = str(model.aliases.get(CHALLENGER, ""))
    if receipt.decision == CHALLENGER and challenger != number:
        client.set_registered_model_alias(name, CHALLENGER, number)
    elif receipt.decision == CHAMPION and challenger == number:
        client.delete_registered_model_alias(name, CHALLENGER)


def record_evidence(
    client: MlflowClient, version: ModelVersion, judgement: Judgement, hypotheses: Sequence[str], rows: TestRows
) -> None:
    """Attaches the evidence of a decision to the version's model: the gate's figures, and both outputs of each row.

    Args:
        client: the MLflow client.
        version: the version.
        judgement: the decision.
        hypotheses: the version's output for each row.
        rows: the rows.
    """
    model_id = logged_model_id(version)
    if model_id is None:
        return
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room)
        evidence = judgement.evidence.as_json() | {"champion_version": judgement.rival.version, "reason": judgement.reason}
        (folder / EVIDENCE_FILE).write_text(json.dumps(evidence, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        with (folder / ROWS_FILE).open("w", encoding="utf-8") as file:
            others: Sequence[str | None] = judgement.rival.hypotheses or [None] * len(hypotheses)
            for pair, own, other in zip(rows.pairs, hypotheses, others, strict=True):
                row: dict[str, Any] = {SOURCE: pair[SOURCE], TARGET: pair[TARGET], "version": own, "champion": other}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        client.log_model_artifacts(model_id, str(folder))


def describe(receipt: Receipt, scores: dict[str, float]) -> str:
    """The Markdown description of a version: decision, reason, and its scores beside the champion's.

    Args:
        receipt: the decision.
        scores: the version's scores on the test set, by metric.
    """
    rival = receipt.champion_scores
    heads = ["metric", "this version", *([f"champion v{receipt.champion_version}"] if rival else [])]
    # The table of versions shows the first line as it stands: no Markdown there.
    lines = [f"{receipt.decision}: {receipt.reason}", "", f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for metric, value in scores.items():
        shown = [f"{value:.6g}", *([f"{rival[metric]:.6g}" if metric in rival else ""] if rival else [])]
        lines.append(f"| {' | '.join([metric, *shown])} |")
    return "\n".join([*lines, "", f"bundle `{receipt.bundle_digest}`, test set `{receipt.test_digest}`"]) + "\n"
