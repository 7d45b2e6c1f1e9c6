"""What an import is about to do, and what it has made: the same for each kind of place that corpora come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from seq2seq_core.corpus_import.resumable_download import Download
from seq2seq_core.corpus_import.size_limit import SizeLimit


@dataclass(frozen=True)
class ImportPlan:
    """A corpus that was found, before anything large is fetched.

    Attributes:
        kind: the kind of place that it comes from.
        source: the corpus in words.
        version: what pins it; empty: a digest of the fetched files will.
        page: an address where people read about it.
        licence: as the place states it; empty: perhaps the files do.
        request: what was asked for, the version left out.
        command: the arguments of ``s2s import`` that import this version again, but for the name.
        downloads: the files to fetch.
        estimated_bytes: their size in all where the place only roughly knows it.
    """

    kind: Literal["opus", "huggingface", "urls"]
    source: str
    version: str
    page: str
    licence: str
    request: dict[str, str]
    command: Sequence[str]
    downloads: Sequence[Download] = ()
    estimated_bytes: int | None = None

    @property
    def num_bytes(self) -> int | None:
        """The bytes to fetch; None where no one knows."""
        sizes = [download.size for download in self.downloads]
        return self.estimated_bytes if None in sizes else sum(size or 0 for size in sizes)


@dataclass
class BuiltCorpus:
    """What the files of a corpus folder were made of.

    Attributes:
        licence: as the files state it; empty where they do not.
        notes: a line for whatever was left out or changed.
    """

    licence: str = ""
    notes: list[str] = field(default_factory=list)


class CorpusPlace(Protocol):
    """A corpus at a place of one kind."""

    def plan(self) -> ImportPlan:
        """Finds the corpus.

        Raises:
            UserError: there is none, or the request is wrong.
            EnvironmentFault: the place does not answer.
        """

    def build(self, fetched: Path, folder: Path, limit: SizeLimit) -> BuiltCorpus:
        """Makes the corpus folder.

        Args:
            fetched: the folder of the fetched files.
            folder: an empty folder.
            limit: bounds what is written.

        Raises:
            CorpusError: the files are not what was expected.
        """
