"""``export``: bundles the trained model with the decoding options of the evaluation, for ``evaluate``, ``register`` and serving.

A stage of its own, so that a change of decoding options does not repeat the training.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings
from seq2seq_core.dvc_files import how_to_make
from seq2seq_core.errors import MissingInput
from seq2seq_core.recorder import Recorder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportResult:
    """The result of ``export``.

    Attributes:
        options: the default decoding options of the served bundle.
    """

    options: DecodingOptions


def run_export(settings: Settings, paths: Paths, recorder: Recorder) -> ExportResult:
    """Writes ``models/served``.

    Args:
        settings: the decoding options of the section ``evaluate``.
        paths: the workspace; reads ``models/bundle``, writes ``models/served``.
        recorder: not used; the settings are already the run's parameters.

    Raises:
        MissingInput: there is no trained bundle.
        BundleError: the trained bundle cannot be used.
    """
    if not paths.bundle.is_dir():
        raise MissingInput(f"{paths.bundle}: no such model bundle; {how_to_make(paths.bundle, 'train')}")
    options = settings.evaluate.decoding
    export_bundle(paths.bundle, paths.served, options)
    logger.info("%s holds the model of %s and the decoding options of the section evaluate", paths.served, paths.bundle)
    return ExportResult(options)
