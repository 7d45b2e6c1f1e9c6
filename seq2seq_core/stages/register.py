"""``register``: registers the bundle once and decides whether it gets the alias ``champion``."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.metric_names import BLEU, DISTORTION
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import TARGET
from seq2seq_core.drift.drift_report import DriftReport
from seq2seq_core.errors import first_line
from seq2seq_core.evaluation.scored_pairs import read_scored
from seq2seq_core.evaluation.scores import quick_metrics
from seq2seq_core.evaluation.scoring_options import scoring_options
from seq2seq_core.evaluation.sensitivity import explain_insensitivity, name_sensitive
from seq2seq_core.lineage.lineage_storage import record_lineage
from seq2seq_core.model_card.drift_section import render_drift
from seq2seq_core.recorder import Recorder
from seq2seq_core.registry.profiles.drift_check import DRIFT_TAG, read_drift
from seq2seq_core.registry.receipts import Verdict, write_receipt
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.registry.version_record import describe
from seq2seq_core.tracking.mlflow.patience import call_patiently

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RegisterResult:
    """The result of ``register``.

    Attributes:
        model_name: name of the registered model.
        version: number of its version.
        is_new: whether this execution created the version.
        decision: alias of the version, or ``experiment``.
        reason: reason of the decision.
        score: the version's ``register.metric`` on the test set.
        champion_version: the version that it was compared with; None where there was no comparison.
        champion_score: score of that version on the same test set.
    """

    model_name: str
    version: str
    is_new: bool
    decision: Verdict
    reason: str
    score: float
    champion_version: str | None
    champion_score: float | None


def run_register(settings: Settings, paths: Paths, recorder: Recorder) -> RegisterResult:
    """Registers ``models/served``, moves the alias, and writes the receipt ``reports/registration.json``.

    A DVC experiment moves no alias.

    Args:
        settings: section ``register``; of ``evaluate`` the tokeniser of BLEU, and all where the champion has to be scored again.
        paths: the workspace; reads ``models/served``, ``reports/metrics.json`` and the prepared test set.
        recorder: receives the decision and the scores.

    Raises:
        BundleError: the bundle cannot be read.
        MissingInput: ``models/served``, ``reports/metrics.json`` or the prepared test set is missing.
        UserError: the metrics do not hold ``register.metric``.
        TrackingUnreachable: MLflow does not answer.
    """
    registration = register_bundle(settings, paths)
    receipt = registration.receipt
    call_patiently(lambda: record_lineage(receipt, settings, paths), settings.runtime.tracking_wait_seconds)
    write_receipt(receipt, paths)
    recorder.set_tags(
        {
            "model_version": receipt.version,
            "bundle_digest": receipt.bundle_digest,
            "decision": receipt.decision,
            "decision_reason": receipt.reason,
        }
    )
    metrics = {f"test_{name}": value for name, value in registration.scores.items()}
    if receipt.champion_score is not None:
        metrics[f"champion_{receipt.metric}"] = receipt.champion_score
    recorder.log_metrics(metrics)
    recorder.log_text(describe(receipt, registration.scores), "decision.md")
    _log_drift(read_drift(receipt.model_name, receipt.version, paths), recorder)
    state = "registered" if registration.is_new else "was registered already"
    logger.info("%s version %s %s; %s: %s", receipt.model_name, receipt.version, state, receipt.decision, receipt.reason)
    _warn_of_insensitive_metric(settings, paths)
    return RegisterResult(
        receipt.model_name, receipt.version, registration.is_new, receipt.decision, receipt.reason, receipt.score,
        receipt.champion_version, receipt.champion_score,
    )  # fmt: skip


def _log_drift(report: DriftReport | None, recorder: Recorder) -> None:
    """Logs how the version's corpus differs from the champion's, where both were compared."""
    if report is None:
        return
    recorder.set_tags({DRIFT_TAG: report.tag()})
    recorder.log_metrics({f"drift_{one.name.replace(' ', '_')}": one.effect for one in report.measures})
    for name, text in render_drift(report).items():
        recorder.log_text(text, name)


def _warn_of_insensitive_metric(settings: Settings, paths: Paths) -> None:
    """Warns if the metric of promotion cannot tell versions apart on this test set; a failure of this check is only a warning."""
    name, options = settings.register_.metric, scoring_options(settings.evaluate)
    if name == DISTORTION:  # of recordings, whose texts say nothing about it
        return
    try:
        pairs = read_scored(paths.prepared_split("test"), settings.evaluate, settings.evaluate.test_limit)
        references = [pair[TARGET] for pair in pairs]
        if references and quick_metrics([name]) and (reason := explain_insensitivity(name, references, options)):
            logger.warning(
                "register.metric %s %s: a better version is not told from a worse one. Set %sregister.metric: %s",
                name, reason, "evaluate.bleu_tokenizer or " if name == BLEU else "",
                ", ".join(name_sensitive(name, references, options)),
            )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - the model is registered, whatever a metric raises
        reason = first_line(error) or type(error).__name__
        logger.warning("could not check whether register.metric %s tells versions apart: %s", name, reason)
