"""The hypotheses of two versions on the same test set: stored ones where every digest agrees, decoded now otherwise."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import progress
from seq2seq_core.corpus.pairs import TARGET
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.evaluator import decode_texts
from seq2seq_core.evaluation.prepared_digest import check_prepared
from seq2seq_core.evaluation.scored import Decoding, describe_decoding
from seq2seq_core.evaluation.scored_pairs import digest_of_test, read_scored
from seq2seq_core.evaluation.scores import quick_metrics, score
from seq2seq_core.evaluation.scoring_options import scoring_options
from seq2seq_core.registry.bundles import download_bundle
from seq2seq_core.registry.judges.evaluated_models import open_evaluated
from seq2seq_core.registry.row_sketch import sketch_rows

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)
MAX_KEPT = 50
"""Files of hypotheses in ``.s2s/outputs``; the oldest are removed."""


@dataclass(frozen=True)
class TestRows:
    """The rows of the test set that versions are compared on.

    Attributes:
        pairs: the columns of each row.
        digest: SHA-256 of the test set as it is scored.
        is_whole: whether these are all of its rows.
    """

    pairs: list[dict[str, str]]
    digest: str
    is_whole: bool

    @cached_property
    def sketch(self) -> str:
        """The sketch that tells whether another test set shares rows with this one."""
        return sketch_rows(self.pairs)

    @property
    def references(self) -> list[str]:
        """The target of each row."""
        return [pair[TARGET] for pair in self.pairs]


def read_rows(settings: Settings, paths: Paths) -> TestRows:
    """The rows of the prepared test set.

    Args:
        settings: ``evaluate.references`` and ``evaluate.test_limit``.
        paths: the workspace.

    Raises:
        MissingInput: there is no prepared test set.
        UserError: it is empty, or has changed since ``prepare`` wrote it.
    """
    check_prepared("test", paths)
    file, section = paths.prepared_split("test"), settings.evaluate
    pairs = read_scored(file, section, section.test_limit)
    if not pairs:
        raise UserError(f"{file}: no pair to compare models on; expected some from corpus.files.test or prepare.test_fraction")
    return TestRows(pairs, digest_of_test(file, section), not section.test_limit)


def decode_version(version: ModelVersion, rows: TestRows, settings: Settings, paths: Paths) -> list[str]:
    """The hypotheses of a registered version, by the options that it is served with.

    Args:
        version: the registered version.
        rows: what to decode.
        settings: ``runtime.device``, and the decoding options of a bundle without its own.
        paths: the workspace; hypotheses are kept in ``.s2s/outputs``.

    Raises:
        BundleError: the version's bundle is missing or damaged.
        TagError: a row lacks a tag of that model.
        TrackingUnreachable: MLflow does not answer.
    """
    folder = download_bundle(version, paths)
    predictor = open_evaluated(folder, settings, paths)
    options = predictor.bundle.decoding or settings.evaluate.decoding  # bundles of earlier releases have no decoding options
    decoding = describe_decoding(folder, options, rows.digest, len(rows.pairs), predictor.engine_for(options))
    kept = read_outputs(decoding, paths)
    if kept is not None:
        return kept
    logger.info("decoding the test set with version %s, to compare with it", version.version)
    with progress(f"decode with version {version.version}", len(rows.pairs), "pairs", settings.runtime.progress) as shown:
        decoded = decode_texts(predictor, rows.pairs, options, settings.evaluate.batch_sentences, shown.update)
    keep_outputs(decoding, decoded.texts, paths)
    return decoded.texts


def score_outputs(hypotheses: Sequence[str], rows: TestRows, settings: Settings) -> dict[str, float]:
    """The scores of a version's hypotheses, by metric: ``register.metric`` and the quick ones of ``evaluate.metrics``.

    Args:
        hypotheses: one for each row.
        rows: the rows.
        settings: sections ``register`` and ``evaluate``.
    """
    names = dict.fromkeys([settings.register_.metric, *quick_metrics(settings.evaluate.metrics)])
    return score(hypotheses, rows.references, names, scoring_options(settings.evaluate))


def keep_outputs(decoding: Decoding, hypotheses: Sequence[str], paths: Paths) -> None:
    """Keeps hypotheses for later comparisons.

    Args:
        decoding: what they depend on.
        hypotheses: one for each row.
        paths: the workspace; writes ``.s2s/outputs/<digest>.json``.
    """
    atomic.write_text(_kept_file(decoding, paths), json.dumps(list(hypotheses), ensure_ascii=False) + "\n")
    kept = sorted(paths.outputs.glob("*.json"), key=lambda file: file.stat().st_mtime)
    for file in kept[:-MAX_KEPT]:
        file.unlink(missing_ok=True)


def read_outputs(decoding: Decoding, paths: Paths) -> list[str] | None:
    """Kept hypotheses; None where there are none for exactly this.

    Args:
        decoding: what they depend on.
        paths: the workspace; reads ``.s2s/outputs``.
    """
    try:
        kept = json.loads(_kept_file(decoding, paths).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    is_whole = isinstance(kept, list) and len(kept) == decoding.rows and all(isinstance(text, str) for text in kept)
    return kept if is_whole else None


def _kept_file(decoding: Decoding, paths: Paths) -> Path:
    return paths.outputs / f"{decoding.digest}.json"
