"""The train pairs whose sources a teacher is asked for targets of: one of all that it would answer alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from seq2seq_core.config.prepare import Deduplication
from seq2seq_core.corpus.deduplication import Deduplicator
from seq2seq_core.corpus.pairs import SOURCE, format_pair


class AskedSources:
    """Writes the pairs to a file, in the order of train.

    Args:
        file: the file, open for writing.
        tag_columns: the columns that the teacher reads beside the source.
        deduplicate: ``none`` asks for equal sources again and again.
    """

    def __init__(self, file: IO[str], tag_columns: Sequence[str], deduplicate: Deduplication) -> None:
        self.file, self.tag_columns = file, tag_columns
        self._seen = Deduplicator("none" if deduplicate == "none" else "source")

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.file.name)

    def add(self, pair: Mapping[str, str]) -> None:
        """Asks for the target of a pair's source, unless one was asked for.

        Args:
            pair: of train, with all its columns.
        """
        tags = [pair.get(name, "") for name in self.tag_columns]
        if not self._seen.is_repeated(pair[SOURCE], "", tags):
            self.file.write(format_pair(pair))
