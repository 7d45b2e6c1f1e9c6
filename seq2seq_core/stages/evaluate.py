"""``evaluate``: scores the model on the frozen test set, with baselines, worst examples and slices."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.served_bundle import find_served_bundle
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import progress
from seq2seq_core.corpus.leakage.split_note import read_split_note
from seq2seq_core.corpus.pairs import TARGET, iterate_pairs, names_file
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.confidence.confidence_check import ConfidenceCheck, check_confidences
from seq2seq_core.evaluation.drawing.picture_page import worst_pictures
from seq2seq_core.evaluation.evaluator import Evaluation, evaluate
from seq2seq_core.evaluation.prepared_digest import fault_of_prepared
from seq2seq_core.evaluation.report import (
    PICTURE_PAGE_FILE,
    PREDICTIONS_FILE,
    make_metrics,
    write_evaluation,
)
from seq2seq_core.evaluation.scored import Scored, describe_decoding, metric_settings
from seq2seq_core.evaluation.scored_pairs import digest_of_test, read_scored
from seq2seq_core.evaluation.scores import signatures
from seq2seq_core.evaluation.scoring_options import scoring_options, slice_options
from seq2seq_core.evaluation.trivial.baselines import NEAREST_PICTURE
from seq2seq_core.evaluation.trivial.nearest_picture import nearest_picture
from seq2seq_core.recorder import Recorder
from seq2seq_core.registry.judges.evaluated_models import open_evaluated
from seq2seq_core.stages.evaluating.evaluation_notices import tell_of_outputs, tell_of_several_references, warn_of_other_settings
from seq2seq_core.stages.evaluating.evaluation_plots import record_plots
from seq2seq_core.stages.evaluating.evaluation_record import record_evaluation
from seq2seq_core.tokenization.manifest import file_digest

if TYPE_CHECKING:
    from seq2seq_core.evaluation.speech.speech_report import SpeechReport

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluateResult:
    """The result of ``evaluate``.

    Attributes:
        test: scores of beam search, by metric.
        greedy: scores of greedy decoding, by metric.
        baselines: scores by baseline and metric.
        pairs: number of test pairs.
    """

    test: dict[str, float]
    greedy: dict[str, float]
    baselines: dict[str, dict[str, float]]
    pairs: int


def run_evaluate(settings: Settings, paths: Paths, recorder: Recorder) -> EvaluateResult:
    """Writes ``reports/metrics.json`` and ``reports/evaluation``.

    Args:
        settings: the section ``evaluate``; of ``runtime`` the device, the number of threads and the progress display.
        paths: the workspace; reads ``models/served``, ``data/prepared`` and, for a plot, ``reports/training_curve.csv``.
        recorder: receives metrics, tables and plots.

    Raises:
        MissingInput: the served bundle or a prepared split is missing.
        BundleError: the bundle cannot be used.
        UserError: the test set is empty, or lacks a slice column.
    """
    section = settings.evaluate
    pairs = _read_test(paths, section)
    tell_of_several_references(pairs, section)
    for split in ("test", "train"):
        if fault := fault_of_prepared(split, paths):
            logger.warning("%s; a version with these scores is not registered", fault)
    if settings.runtime.num_threads:
        torch.set_num_threads(settings.runtime.num_threads)
    predictor = open_evaluated(find_served_bundle(paths), settings, paths)
    options = predictor.options
    warn_of_other_settings(predictor, section, paths.served)
    train = iterate_pairs(paths.prepared_split("train"))
    searches = 2 if options.beam_size > 1 else 1
    unit = "sentences" if searches == 1 else "sentences of two searches"
    with progress("evaluate", searches * len(pairs), unit, settings.runtime.progress) as shown:
        has_files = predictor.sources.has_frames or names_file(pairs[0])
        further = _file_baselines(pairs, predictor, paths)
        evaluation = evaluate(pairs, train, predictor, options, section, shown.update, has_files, further)
    tell_of_outputs(evaluation, predictor)
    note = read_split_note(paths.prepare_report)
    if note:
        logger.info("%s", note)
    confidence = _check_confidence(evaluation, pairs, predictor)
    speech = _judge_speech(predictor, pairs, section)
    with atomic.new_folder(paths.evaluation) as draft:
        write_evaluation(draft, evaluation, section.worst_examples, _signatures(section), confidence)
        if predictor.bundle.config.pictures is not None:
            page = worst_pictures(evaluation.worst(section.worst_examples), paths.prepared_files)
            (draft / PICTURE_PAGE_FILE).write_text(page, encoding="utf-8")
        if speech is not None:
            speech.write(draft)
    test_set = digest_of_test(paths.prepared_split("test"), section)
    decoding = describe_decoding(paths.served, options, test_set, len(pairs), predictor.engine_for(options))
    settings_of_metrics = metric_settings(section.metrics, scoring_options(section))
    scored = Scored(decoding, settings_of_metrics, file_digest(paths.evaluation / PREDICTIONS_FILE))
    metrics = make_metrics(evaluation, scored, confidence) | ({} if speech is None else {"speech": speech.means})
    atomic.write_text(paths.metrics, json.dumps(metrics, ensure_ascii=False, indent=1) + "\n")
    if speech is not None:
        speech.record(recorder, section.speech.examples)
    record_evaluation(recorder, evaluation, section.worst_examples, paths, confidence, note)
    record_plots(recorder, evaluation, predictor, section, paths, confidence)
    return EvaluateResult(evaluation.test, evaluation.greedy, evaluation.baselines, len(pairs))


def _judge_speech(predictor: Predictor, pairs: Sequence[dict[str, str]], section: EvaluateSection) -> SpeechReport | None:
    """What is measured of synthesised speech; None: the model writes text."""
    if predictor.bundle.config.speech is None:
        return None
    from seq2seq_core.evaluation.speech.speech_report import report_speech

    return report_speech(predictor, pairs, section.metrics, scoring_options(section))


def _signatures(section: EvaluateSection) -> dict[str, str]:
    """The signature of each metric, to be stated with its scores; also those of slices with other scoring options."""
    whole = signatures(section.metrics, scoring_options(section))
    parts = {
        f"{name} of {column} {value}": signature
        for column, values in slice_options(section).items()
        for value, options in values.items()
        for name, signature in signatures(section.metrics, options).items()
        if signature != whole[name]
    }
    return whole | parts


def _read_test(paths: Paths, section: EvaluateSection) -> list[dict[str, str]]:
    path, limit = paths.prepared_split("test"), section.test_limit
    pairs = read_scored(path, section, limit)
    if not pairs:
        raise UserError(f"{path}: no pair to evaluate on; expected some from corpus.files.test or prepare.test_fraction")
    if limit:
        logger.warning("evaluate.test_limit: only the first %d pairs of test are decoded; report no figure of these", len(pairs))
    return pairs


def _file_baselines(pairs: Sequence[dict[str, str]], predictor: Predictor, paths: Paths) -> dict[str, list[str]]:
    """The outputs of baselines that look at the files that sources name: of pictures, the target of the nearest one."""
    config = predictor.bundle.config
    if config.pictures is None:
        return {}
    train = iterate_pairs(paths.prepared_split("train"))
    return {NEAREST_PICTURE: nearest_picture(train, pairs, paths.prepared_files, config.tags.all)}


def _check_confidence(evaluation: Evaluation, pairs: Sequence[dict[str, str]], predictor: Predictor) -> ConfidenceCheck | None:
    """The confidences of the bundle on test; None: it has no calibrator."""
    if predictor.bundle.calibrator is None:
        return None
    examples = evaluation.examples
    return check_confidences(
        [example.confidence for example in examples],
        [example.hypothesis for example in examples],
        [pair[TARGET] for pair in pairs],
        predictor.bundle.calibrator,
    )
