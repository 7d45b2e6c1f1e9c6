"""``export``: bundles the trained model with the decoding options, the engine and the calibrator of its confidence.

``evaluate``, ``register`` and serving read what it writes. A stage of its own, so that a change of decoding options or of the
engine does not repeat the training.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.speech.vocoder import GriffinLim
from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.bundle.config_file import StoredEngine, read_config
from seq2seq_core.bundle.lexicon_file import KnownTarget, Question, collect_lexicon
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.bundle.stored_calibrator import StoredCalibrator
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import progress
from seq2seq_core.corpus.pairs import TARGET, iterate_pairs
from seq2seq_core.decoding.engines.engine_choice import choose_engine, convert_bundle
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.dvc_files import how_to_make
from seq2seq_core.errors import MissingInput, UserError
from seq2seq_core.evaluation.confidence.calibrator_fit import fit_calibrator, read_dev
from seq2seq_core.evaluation.evaluator import decode_texts
from seq2seq_core.recorder import Recorder
from seq2seq_core.stages.evaluating.named_vocoder import find_vocoder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportResult:
    """The result of ``export``.

    Attributes:
        options: the default decoding options of the served bundle.
        engine: the engine that the model was exported for; None: PyTorch decodes, at float32.
    """

    options: DecodingOptions
    engine: StoredEngine | None = None


def run_export(settings: Settings, paths: Paths, recorder: Recorder) -> ExportResult:
    """Writes ``models/served``.

    Args:
        settings: the decoding options, the engine, the vocoder and the confidence of the section ``evaluate``; of ``runtime`` the
            device, the number of threads and the progress display.
        paths: the workspace; reads ``models/bundle`` and, for confidence and lexicon, ``data/prepared``; writes ``models/served``.
        recorder: not used; the settings are already the run's parameters.

    Raises:
        MissingInput: there is no trained bundle.
        BundleError: the trained bundle cannot be used.
        UserError: the engine that the settings name cannot hold the model, or its package is missing; or a vocoder cannot be used.
    """
    if not paths.bundle.is_dir():
        raise MissingInput(f"{paths.bundle}: no such model bundle; {how_to_make(paths.bundle, 'train')}")
    section = settings.evaluate
    config = read_config(paths.bundle).config
    engine = None if config.speech is not None else choose_engine(section, config)
    converted = None if engine is None else convert_bundle(load_bundle(paths.bundle), engine)
    lexicon = _collect(settings, paths) if section.lexicon else None
    speech, vocoder = config.speech, None
    if speech is not None:
        network = find_vocoder(settings, speech.settings, speech.sample_rate, paths)
        vocoder = network or GriffinLim(section.speech.iterations)
    export_bundle(
        paths.bundle,
        paths.served,
        section.decoding,
        converted,
        lambda folder: _calibrate(folder, settings, paths),
        lexicon,
        vocoder,
    )
    logger.info(
        "%s holds the model of %s and the decoding options of the section evaluate; %s decodes",
        paths.served, paths.bundle, f"{engine.name} at {engine.compute_type}" if engine else "PyTorch",
    )  # fmt: skip
    return ExportResult(section.decoding, engine)


def _collect(settings: Settings, paths: Paths) -> dict[Question, KnownTarget]:
    """What train has for each question."""
    config = read_config(paths.bundle).config
    if config.frame_width:
        raise UserError("evaluate.lexicon: must be false where sources are frames or recordings, got true")
    lexicon = collect_lexicon(iterate_pairs(paths.prepared_split("train")), config)
    logger.info("the lexicon has %d questions of train", len(lexicon))
    return lexicon


def _calibrate(folder: Path, settings: Settings, paths: Paths) -> StoredCalibrator | None:
    """The calibrator of a bundle, fitted on what it answers to dev by the engine that will serve; None: there is none."""
    section = settings.evaluate
    if section.confidence_event == "none" or read_config(folder).config.speech is not None:
        return None
    if not (pairs := read_dev(paths.prepared_split("dev"), section)):
        return None
    if settings.runtime.num_threads:
        torch.set_num_threads(settings.runtime.num_threads)
    predictor = Predictor.from_folder(folder, settings.runtime.device, paths.prepared_files)
    with progress("export", len(pairs), "sentences of dev", settings.runtime.progress) as shown:
        decoded = decode_texts(predictor, pairs, predictor.options, section.batch_sentences, shown.update)
    references = [pair[TARGET] for pair in pairs]
    return fit_calibrator(decoded.answers, references, section.confidence_event, section.confidence_chrf)
