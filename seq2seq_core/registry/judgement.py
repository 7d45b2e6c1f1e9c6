"""The judgement of a version: which champion it is compared with on which rows, and what the gate says."""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.config.register import RegisterSection
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import PICTURE_DIGEST, SOURCE, iterate_pairs, names_file
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.drift.drift_report import DriftReport
from seq2seq_core.errors import BundleError, TagError, UserError
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.prepared_digest import check_prepared
from seq2seq_core.evaluation.scored import metric_settings
from seq2seq_core.evaluation.scoring_options import scoring_options
from seq2seq_core.evaluation.trivial.baselines import COPY_SOURCE, NEAREST_PICTURE, copy_source, find_baselines
from seq2seq_core.evaluation.trivial.nearest_picture import nearest_picture
from seq2seq_core.gate.decision import Evidence, decide
from seq2seq_core.gate.policy import Policy
from seq2seq_core.gate.scored_rows import ScoredRows, score_rows
from seq2seq_core.gate.slice_labels import source_labels
from seq2seq_core.registry.judges.evaluated_models import open_evaluated
from seq2seq_core.registry.ledger import Ledger, comparison_key
from seq2seq_core.registry.outputs import TestRows, decode_version, score_outputs
from seq2seq_core.registry.profiles.drift_check import find_drift, refuse_drift
from seq2seq_core.registry.versions import DIGEST_TAG, find_number

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)
MEGABYTE = 1e6
TIMED_ROWS = 20


@dataclass(frozen=True)
class Candidate:
    """The registered version that is judged.

    Attributes:
        version: as the registry gives it.
        bundle: the folder of its bundle.
        bundle_digest: digest of its bundle.
        rows: the rows of the test set.
        hypotheses: its output for each row.
        scores: its scores on them, by metric; ``register.metric`` is among them.
    """

    version: ModelVersion
    bundle: Path
    bundle_digest: str
    rows: TestRows
    hypotheses: list[str]
    scores: dict[str, float]


@dataclass(frozen=True)
class Rival:
    """The champion that a version is compared with.

    Attributes:
        version: its number; empty: no champion can be compared with.
        bundle_digest: digest of its bundle.
        hypotheses: its output for each row.
        scores: its scores on these rows, by metric.
        troubles: why later champions could not be compared with.
    """

    version: str = ""
    bundle_digest: str = ""
    hypotheses: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What the gate says of a version.

    Attributes:
        promotes: whether it may take the alias.
        reason: one sentence with the figures.
        rival: what it was compared with.
        comparison: digest of what was compared.
        evidence: the gate's.
        baselines: the outputs of the trivial baselines, by name.
        drift: how its corpus differs from that of the champion; None: nothing was compared.
    """

    promotes: bool
    reason: str
    rival: Rival
    comparison: str
    evidence: Evidence
    baselines: dict[str, list[str]]
    drift: DriftReport | None = None


def policy_of(section: RegisterSection) -> Policy:
    """The gate's policy in the settings.

    Args:
        section: ``register``.
    """
    gate = section.gate
    return Policy(
        metric=section.metric, alpha=gate.alpha, margin=gate.margin, promotes_equal=gate.promotes_equal,
        minimum_gain=section.minimum_gain, minimum_score=section.minimum_score, minimum_rows=gate.minimum_rows, power=gate.power,
        wanted_gain=gate.wanted_gain, slice_floors=gate.slice_floors, protected=tuple(gate.protected),
        forbids_worse_slices=gate.forbids_worse_slices,
    )  # fmt: skip


def judge(candidate: Candidate, ledger: Ledger, settings: Settings, paths: Paths, client: MlflowClient) -> Judgement:
    """Compares a version with the champion on the same rows.

    Args:
        candidate: the version.
        ledger: names the champion, those before it, and the comparisons that were made on this test set.
        settings: sections ``register`` and ``evaluate``.
        paths: the workspace; reads the prepared corpus, downloads the champion's bundle.
        client: the MLflow client.

    Raises:
        UserError: the metric cannot be computed from rows, or its package is missing.
        TrackingUnreachable: MLflow does not answer.
    """
    section, options, rows = settings.register_, scoring_options(settings.evaluate), candidate.rows
    rival = find_rival(str(candidate.version.version), ledger, rows, settings, paths, client)

    def as_rows(texts: Sequence[str]) -> ScoredRows:
        return _score_rows(section.metric, texts, rows.references, options)

    baselines = baseline_texts(rows.pairs, read_config(candidate.bundle).config.tags.all, paths)
    key, counted = _key(candidate, rival, settings), ledger.looks(rows.sketch)
    look = ledger.look(rows.sketch, key)
    evidence = decide(
        policy_of(section),
        as_rows(candidate.hypotheses),
        as_rows(rival.hypotheses) if rival.version else None,
        look,
        {name: as_rows(texts) for name, texts in baselines.items()} if section.gate.baselines else {},
        labels_of(rows.pairs, settings.evaluate.slice_columns),
        max(look, counted),
    )
    drift = find_drift(candidate.version, candidate.bundle, ledger.champion, settings, paths, client)
    further = [*_further_refusals(candidate, settings, paths), *refuse_drift(drift, settings)]
    against = f" It was compared with version {rival.version}." if rival.version else ""
    troubles = "".join(f" {trouble}." for trouble in rival.troubles)
    refused = f" Refused: {'; '.join(further)}." if further else ""
    again = " The same evidence was counted before, so nothing new is spent." if look <= counted else ""
    summary = f"Not promoted: {evidence.summary.removeprefix('Promoted: ')}" if further and evidence.promotes else evidence.summary
    reason = f"{summary}{against}{again}{refused}{troubles}"
    return Judgement(evidence.promotes and not further, reason, rival, key, evidence, baselines, drift)


def _key(candidate: Candidate, rival: Rival, settings: Settings) -> str:
    """What is compared; the margin and what it is used for make another test of the same outputs."""
    metric, gate = settings.register_.metric, settings.register_.gate
    scoring = (metric, metric_settings([metric], scoring_options(settings.evaluate))[metric], gate.margin, gate.promotes_equal)
    bundles, outputs = (candidate.bundle_digest, rival.bundle_digest), (candidate.hypotheses, rival.hypotheses)
    return comparison_key(bundles, outputs, candidate.rows.digest, scoring)


def find_rival(version: str, ledger: Ledger, rows: TestRows, settings: Settings, paths: Paths, client: MlflowClient) -> Rival:
    """The champion, or the latest champion before it that can be compared with.

    Args:
        version: the judged version, which is no rival of its own.
        ledger: names the champions.
        rows: the rows of the test set.
        settings: see :func:`judge`.
        paths: the workspace.
        client: the MLflow client.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    name, troubles = settings.register_.model_name, list[str]()
    for number in ledger.champions():
        if number == version:
            continue
        found = find_number(client, name, number)
        try:
            if found is None:
                raise BundleError("it is gone from the registry")
            hypotheses = decode_version(found, rows, settings, paths)
        except (BundleError, TagError, UserError) as error:
            troubles.append(f"Version {number} was champion and cannot be compared with: {str(error).rstrip('.')}")
            logger.warning("%s", troubles[-1])
            continue
        return Rival(number, found.tags.get(DIGEST_TAG, ""), hypotheses, score_outputs(hypotheses, rows, settings), tuple(troubles))
    return Rival(troubles=tuple(troubles))


def baseline_texts(pairs: Sequence[dict[str, str]], columns: Sequence[str], paths: Paths) -> dict[str, list[str]]:
    """The outputs of the trivial baselines, by name; those that need the prepared train set only where it is there.

    Args:
        pairs: the rows of the test set.
        columns: the columns that the version takes as tags.
        paths: the workspace; reads the prepared train set.

    Raises:
        UserError: it has changed since ``prepare`` wrote it.
    """
    check_prepared("train", paths)
    train, has_files = paths.prepared_split("train"), names_file(pairs[0])
    if not train.is_file():
        return {} if has_files else {COPY_SOURCE: copy_source(pairs)}
    texts = find_baselines(iterate_pairs(train), pairs, columns, has_files).texts
    if PICTURE_DIGEST in pairs[0]:
        texts[NEAREST_PICTURE] = nearest_picture(iterate_pairs(train), pairs, paths.prepared_files, columns)
    return texts


def labels_of(pairs: Sequence[dict[str, str]], columns: Sequence[str]) -> dict[str, list[str]]:
    """The labels of the rows that cut slices: declared columns, and for texts length, rare symbols and script.

    Args:
        pairs: the rows.
        columns: ``evaluate.slice_columns``.
    """
    declared = {column: [pair.get(column, "") for pair in pairs] for column in columns}
    if names_file(pairs[0]):
        return declared
    return declared | source_labels([pair[SOURCE] for pair in pairs])


def _score_rows(metric: str, texts: Sequence[str], references: Sequence[str], options: ScoringOptions) -> ScoredRows:
    try:
        return score_rows(metric, texts, references, options)
    except ValueError as error:
        raise UserError(f"register.metric: {error}") from None


def _further_refusals(candidate: Candidate, settings: Settings, paths: Paths) -> Iterator[str]:
    """The refusals that need no comparison: a part of the test set, and the budgets of size and time."""
    gate, rows = settings.register_.gate, candidate.rows
    if not rows.is_whole:
        yield f"only the first {len(rows.pairs)} rows of the test set were scored (evaluate.test_limit)"
    if gate.maximum_bundle_mb is not None:
        size = sum(file.stat().st_size for file in candidate.bundle.iterdir()) / MEGABYTE
        if size > gate.maximum_bundle_mb:
            yield f"its files take {size:.4g} MB, and register.gate.maximum_bundle_mb is {gate.maximum_bundle_mb:g}"
    if gate.maximum_milliseconds is not None:
        predictor = open_evaluated(candidate.bundle, settings, paths)
        milliseconds = measure_latency(predictor, rows.pairs)
        if milliseconds > gate.maximum_milliseconds:
            yield f"a request takes {milliseconds:.4g} ms, and register.gate.maximum_milliseconds is {gate.maximum_milliseconds:g}"


def measure_latency(predictor: Predictor, pairs: Sequence[dict[str, str]], limit_seconds: float = math.inf) -> float:
    """The median time of decoding one row alone, in milliseconds.

    Args:
        predictor: the model.
        pairs: the rows; the first ones are timed, after one that is not.
        limit_seconds: no further row is timed once they took so long together.
    """
    chosen = list(pairs[:TIMED_ROWS])
    predictor.predict([chosen[0][SOURCE]], tags=[chosen[0]])
    seconds: list[float] = []
    for pair in chosen:
        started = time.perf_counter()
        predictor.predict([pair[SOURCE]], tags=[pair])
        seconds.append(time.perf_counter() - started)
        if sum(seconds) > limit_seconds:
            break
    return 1000.0 * statistics.median(seconds)
