"""The parity sample of a version: a few test rows with the answers that its bundle gave when it was evaluated.

A version that answers otherwise is another model, or runs on other code, than the one that was judged.
"""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.sound_file import read_recording
from seq2seq_core.bundle.model_seal import WAY_OUT
from seq2seq_core.corpus.pairs import RECORDING, SOURCE, source_names_file
from seq2seq_core.errors import BundleError
from seq2seq_core.registry.bundles import download_bundle
from seq2seq_core.registry.packaging import PARITY_PATH
from seq2seq_core.registry.stored_model import check_stored_model, download_file, label_of
from seq2seq_core.tracking.mlflow.store import store_errors

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from seq2seq_core.decoding.predictor import Predictor
    from seq2seq_core.decoding.source_encoder import SourceItem

logger = logging.getLogger(__name__)
SAMPLE_ROWS = 8
PREDICTION = "prediction"
_MAX_SHOWN = 80


def make_example(pair: Mapping[str, str], paths: Paths) -> dict[str, str]:
    """A test pair in the format of a request: a recording or picture is in base64.

    Args:
        pair: its columns.
        paths: the workspace, which has the files.
    """
    if not source_names_file(pair):
        return dict(pair)
    content = (paths.prepared_files / pair[SOURCE]).read_bytes()
    return {**pair, SOURCE: base64.b64encode(content).decode("ascii")}


def make_sample(pairs: Sequence[Mapping[str, str]], hypotheses: Sequence[str], paths: Paths) -> list[dict[str, str]]:
    """The parity sample of an evaluation; a model of speech has none.

    Args:
        pairs: the evaluated rows.
        hypotheses: one for each.
        paths: the workspace, which has the files.
    """
    if any(RECORDING in pair for pair in pairs[:1]):
        return []  # the answers of a model of speech are what a recogniser heard, which no server has
    chosen = list(zip(pairs, hypotheses, strict=True))[:SAMPLE_ROWS]
    return [make_example(pair, paths) | {PREDICTION: text} for pair, text in chosen]


def check_parity(version: ModelVersion, paths: Paths, device: str = "auto") -> int:
    """Checks the stored files of a version, loads its bundle, and decodes its parity sample.

    Args:
        version: the registered version.
        paths: the workspace; downloads go to ``.s2s``.
        device: the device that decodes.

    Returns:
        The number of rows that were decoded; 0: the version has no sample, because an earlier release registered it.

    Raises:
        BundleError: the bundle is missing, damaged or exchanged, or it answers otherwise than when it was evaluated.
        TrackingUnreachable: MLflow does not answer.
    """
    from seq2seq_core.decoding.predictor import Predictor

    check_stored_model(version, paths)
    predictor = Predictor.from_folder(download_bundle(version, paths), device)
    rows = read_sample(version, paths)
    if rows:
        found = predictor.predict([_source(row, predictor) for row in rows], tags=rows)
        check_answers(rows, [one.text for one in found], label_of(version))
    return len(rows)


def read_sample(version: ModelVersion, paths: Paths) -> list[dict[str, str]]:
    """The parity sample of a version; empty: it has none, because an earlier release registered it.

    Args:
        version: the registered version.
        paths: the workspace.

    Raises:
        BundleError: the file is no parity sample.
        TrackingUnreachable: MLflow does not answer.
    """
    with store_errors(paths):
        content = download_file(version, PARITY_PATH)
    return [] if content is None else _parse(content, label_of(version))


def check_answers(rows: Sequence[Mapping[str, str]], texts: Sequence[str], label: str) -> None:
    """Compares answers with those of the evaluation.

    Args:
        rows: the parity sample.
        texts: the answer to each row.
        label: the version's name, for messages.

    Raises:
        BundleError: one is different.
    """
    for row, text in zip(rows, texts, strict=True):
        if text != row[PREDICTION]:
            answer = f"{row[SOURCE][:_MAX_SHOWN]!r} gives {text!r}, expected {row[PREDICTION]!r}"
            raise BundleError(f"{label}: answers otherwise than when it was evaluated: {answer}; {WAY_OUT}")


def _parse(content: bytes, label: str) -> list[dict[str, str]]:
    try:
        rows: Any = json.loads(content)
        if not all(isinstance(row[SOURCE], str) and isinstance(row[PREDICTION], str) for row in rows):
            raise TypeError("a row without source or prediction")
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{label}: {PARITY_PATH} is no parity sample ({error}); {WAY_OUT}") from None
    return list(rows)


def _source(row: Mapping[str, str], predictor: Predictor) -> SourceItem:
    """The source of a row: its text, the samples of its recording, or the frames of its picture."""
    config = predictor.bundle.config
    audio = config.audio
    if config.pictures is not None:
        return config.pictures.read(base64.b64decode(row[SOURCE]))
    if audio is None:
        return row[SOURCE]
    return read_recording(io.BytesIO(base64.b64decode(row[SOURCE])), audio.sample_rate).samples_N
