"""What answers to the rows of a test set: a predictor, or for a model of speech a judge of what it says."""

from __future__ import annotations

from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.config.settings import Settings
from seq2seq_core.decoding.predictor import Predictor


def open_evaluated(folder: Path, settings: Settings, paths: Paths) -> Predictor:
    """The predictor of a bundle that is evaluated or compared.

    Args:
        folder: the bundle.
        settings: ``runtime.device``; for a model of speech ``evaluate.speech``.
        paths: the workspace, which has the files that a side names.

    Raises:
        BundleError: the folder holds no bundle that can be read.
        UserError, TrackingUnreachable: there is no such device or recogniser.
    """
    if read_config(folder).config.speech is None:
        return Predictor.from_folder(folder, settings.runtime.device, paths.prepared_files)
    from seq2seq_core.registry.judges.judged_speech import open_judge

    return open_judge(folder, settings, paths)
