"""The sample rate of a prepared corpus: that of its first recording, as ``prepare`` has checked or given all the same."""

from __future__ import annotations

from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.sound_file import RecordingError, read_sample_rate
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.errors import UserError


def rate_of_train(paths: Paths, column: str) -> int:
    """Samples a second of the recordings of train.

    Args:
        paths: the workspace; reads ``data/prepared``.
        column: of the prepared pairs; names the recordings.

    Raises:
        UserError: train is empty or has no such column, or the recording cannot be read.
    """
    train = paths.prepared_split("train")
    first = next(iterate_pairs(train), None)
    if first is None:
        raise UserError(f"{train}: train has no pair, expected at least one")
    if column not in first:
        raise UserError(f"{train}: has no recordings; `s2s prepare` (or `dvc repro prepare`) makes it anew")
    path = paths.prepared_audio / first[column]
    try:
        return read_sample_rate(path)
    except RecordingError as error:
        raise UserError(f"{path}: {error}; `s2s prepare` (or `dvc repro prepare`) puts it there") from None
