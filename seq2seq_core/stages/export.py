"""``export``: bundles the trained model with the decoding options and the engine of the evaluation.

``evaluate``, ``register`` and serving read what it writes. A stage of its own, so that a change of decoding options or of the
engine does not repeat the training.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.bundle.config_file import StoredEngine, read_config
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings
from seq2seq_core.decoding.engines.engine_choice import choose_engine, convert_bundle
from seq2seq_core.dvc_files import how_to_make
from seq2seq_core.errors import MissingInput
from seq2seq_core.recorder import Recorder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportResult:
    """The result of ``export``.

    Attributes:
        options: the default decoding options of the served bundle.
        engine: the engine that the model was converted for; None: PyTorch decodes.
    """

    options: DecodingOptions
    engine: StoredEngine | None = None


def run_export(settings: Settings, paths: Paths, recorder: Recorder) -> ExportResult:
    """Writes ``models/served``.

    Args:
        settings: the decoding options and the engine of the section ``evaluate``.
        paths: the workspace; reads ``models/bundle``, writes ``models/served``.
        recorder: not used; the settings are already the run's parameters.

    Raises:
        MissingInput: there is no trained bundle.
        BundleError: the trained bundle cannot be used.
        UserError: the engine that the settings name cannot hold the model, or its package is missing.
    """
    if not paths.bundle.is_dir():
        raise MissingInput(f"{paths.bundle}: no such model bundle; {how_to_make(paths.bundle, 'train')}")
    section = settings.evaluate
    engine = choose_engine(section, read_config(paths.bundle).config)
    converted = None if engine is None else convert_bundle(load_bundle(paths.bundle), engine)
    export_bundle(paths.bundle, paths.served, section.decoding, converted)
    logger.info(
        "%s holds the model of %s and the decoding options of the section evaluate; %s decodes",
        paths.served, paths.bundle, f"{engine.name} at {engine.compute_type}" if engine else "PyTorch",
    )  # fmt: skip
    return ExportResult(section.decoding, engine)
