"""Pairs of the corpus in normal form, before any rule has dropped one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.pairs import RECORDING_DIGEST, SOURCE, TARGET
from seq2seq_core.corpus.recordings import FoundRecording, Recordings, find_recording


@dataclass(frozen=True)
class Candidate:
    """A pair that may still be dropped.

    Attributes:
        pair: the columns to write.
        identity: the key of its source for deduplication, leakage and splits: the text, or the digest of the recording.
        recording: the recording that the source names; None where the source is a text.
    """

    pair: dict[str, str]
    identity: str
    recording: FoundRecording | None

    @property
    def texts(self) -> tuple[str, str]:
        """Source and target for the cleaning rules; the target for both where the source is only a recording's name."""
        return self.pair[SOURCE if self.recording is None else TARGET], self.pair[TARGET]


def make_candidates(rows: Iterable[Row], section: PrepareSection, recordings: Recordings | None) -> Iterator[Candidate]:
    """The rows' pairs with normalised texts.

    Args:
        rows: of the corpus; read one at a time.
        section: the normal form.
        recordings: those that the sources name; None where sources are texts.

    Raises:
        CorpusError: a recording cannot be used.
    """
    for row in rows:
        target = section.apply(row.target)
        if recordings is None:
            source = section.apply(row.source)
            yield Candidate({SOURCE: source, TARGET: target, **row.columns}, source, None)
        else:
            found = find_recording(recordings, row)
            columns = {RECORDING_DIGEST: found.digest, **row.columns}
            yield Candidate({SOURCE: row.source, TARGET: target, **columns}, found.digest, found)
