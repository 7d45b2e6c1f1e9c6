"""The scores for promotion: read from the evaluation, or computed for a champion that was scored on another test set."""

from __future__ import annotations

import json
import logging
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import progress
from seq2seq_core.corpus.pairs import TARGET, iterate_pairs
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import BundleError, MissingInput, TagError, UserError
from seq2seq_core.evaluation.evaluator import decode_texts
from seq2seq_core.evaluation.scores import quick_metrics, score
from seq2seq_core.evaluation.scoring_options import scoring_options
from seq2seq_core.registry.bundles import download_bundle
from seq2seq_core.registry.promotion import Champion

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)
TEST_DIGEST_TAG = "test_digest"
SCORE_TAG = "test."
"""Prefix of a version's tags with its scores on the test set."""


def read_test_scores(metrics: Path, wanted: str) -> dict[str, float]:
    """The scores on the test set from the evaluation, by metric.

    Args:
        metrics: ``reports/metrics.json``.
        wanted: the metric of promotion, which must be there.

    Raises:
        MissingInput: there is no such file.
        UserError: the file is not JSON, or lacks the metric.
    """
    try:
        report = json.loads(metrics.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingInput(f"{metrics}: no such file; `s2s evaluate` (or `dvc repro evaluate`) makes it") from None
    except ValueError as error:
        raise UserError(f"{metrics}: not JSON ({error}); expected the metrics that `s2s evaluate` writes") from None
    test = report.get("test") if isinstance(report, dict) else None
    scores = {
        name: float(value)
        for name, value in (test if isinstance(test, dict) else {}).items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    if wanted not in scores:
        raise UserError(f"{metrics}: has no test.{wanted}, which register.metric names; it has: {', '.join(scores) or 'none'}")
    return scores


def score_champion(version: ModelVersion, test_digest: str, settings: Settings, paths: Paths) -> Champion:
    """The champion with its score on the current test set: the recorded score, or a new one where the test set has changed.

    Args:
        version: the version with the alias ``champion``.
        test_digest: SHA-256 of the current test set.
        settings: ``register`` names the metric; ``evaluate`` has the scoring options.
        paths: the workspace; reads the prepared test set, downloads the champion's bundle to ``.s2s/bundles``.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    metric = settings.register_.metric
    recorded = version.tags.get(f"{SCORE_TAG}{metric}")
    if recorded is not None and version.tags.get(TEST_DIGEST_TAG) == test_digest:
        scores = {key.removeprefix(SCORE_TAG): float(value) for key, value in version.tags.items() if key.startswith(SCORE_TAG)}
        return Champion(str(version.version), float(recorded), scores=scores)
    logger.info("the champion, version %s, was scored on another test set: it is scored on the present one", version.version)
    try:
        predictor = Predictor.from_folder(download_bundle(version, paths), settings.runtime.device, paths.prepared_audio)
        scores = score_predictor(predictor, settings, paths)
        return Champion(str(version.version), scores[metric], scores=scores)
    except (BundleError, TagError) as error:
        logger.warning("the champion cannot be scored: %s", error)
        return Champion(str(version.version), None, str(error))


def score_predictor(predictor: Predictor, settings: Settings, paths: Paths) -> dict[str, float]:
    """A model's scores on the current test set, by metric: ``register.metric`` and the quick ones of ``evaluate.metrics``.

    Args:
        predictor: the model.
        settings: the metrics, the scoring options, and the decoding options of a bundle without its own.
        paths: the workspace; reads the prepared test set.
    """
    evaluate, metric = settings.evaluate, settings.register_.metric
    pairs = list(islice(iterate_pairs(paths.prepared_split("test")), evaluate.test_limit or None))
    options = predictor.bundle.decoding or evaluate.decoding  # bundles of earlier releases have no decoding options
    with progress("score the champion", len(pairs), "pairs", settings.runtime.progress) as shown:
        decoded = decode_texts(predictor, pairs, options, evaluate.batch_sentences, shown.update)
    names = dict.fromkeys([metric, *quick_metrics(evaluate.metrics)])
    return score(decoded.texts, [pair[TARGET] for pair in pairs], names, scoring_options(evaluate))
