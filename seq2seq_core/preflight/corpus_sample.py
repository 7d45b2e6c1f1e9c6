"""A sample of the raw corpus: some rows of each split, drawn at random, and the longest ones, which decide the memory."""

from __future__ import annotations

import gzip
import heapq
import json
import random
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from seq2seq_core.artifacts import SPLITS
from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.reading import SplitReader, find_folder

SEED = 1
RAW = "raw"
"""Folder of the corpus in the workspace of a sample."""
LONGEST_ROWS = 8
READING_SECONDS = 15.0
"""Longest time for which the rows of a split are read; what is behind them is extrapolated by bytes."""
EVALUATION_ROWS = 600
"""Most rows of dev and of test in a sample."""
ENDS_A_CELL = re.compile(r"[\t\r\n\0]")
SENTENCES = 2_000
"""Lines of a monolingual file in a sample."""


@dataclass(frozen=True)
class SplitSample:
    """A split and its sample.

    Attributes:
        rows: of the split; estimated where not all was read.
        bytes: of its files.
        is_whole: whether all of it was read.
        sampled: the sample, in the order of the corpus.
    """

    rows: int
    bytes: int
    is_whole: bool
    sampled: list[Row]

    def part(self, most: int) -> SplitSample:
        """A smaller sample of the same split: every n-th row.

        Args:
            most: its rows.
        """
        step = max(1, -(-len(self.sampled) // max(most, 1)))
        return replace(self, sampled=self.sampled[::step])


def take_sample(corpus: CorpusSection, root: Path, most: int) -> dict[str, SplitSample]:
    """The samples of the splits that have files.

    Args:
        corpus: the files and their layout.
        root: the workspace.
        most: rows of the sample of train.

    Raises:
        CorpusError: a file is missing, or a line cannot be read.
    """
    readers = {split: SplitReader(corpus, root, split) for split in SPLITS}
    return {
        split: _sample(reader, most if split == "train" else min(most, EVALUATION_ROWS), has_longest=split == "train")
        for split, reader in readers.items()
        if reader.entries
    }


def _sample(reader: SplitReader, most: int, has_longest: bool) -> SplitSample:
    """Algorithm R of Vitter (1985), beside the longest rows."""
    chance, kept, longest = random.Random(SEED), list[tuple[int, Row]](), list[tuple[int, int, Row]]()
    rows, is_whole, deadline = 0, True, time.monotonic() + READING_SECONDS
    for row in reader:
        if len(kept) < most:
            kept.append((rows, row))
        elif (place := chance.randrange(rows + 1)) < most:
            kept[place] = (rows, row)
        if has_longest:
            entry = (len(row.source) + len(row.target), rows, row)
            if len(longest) < LONGEST_ROWS:
                heapq.heappush(longest, entry)
            elif entry[:2] > longest[0][:2]:
                heapq.heapreplace(longest, entry)
        rows += 1
        if rows % 1024 == 0 and time.monotonic() > deadline:
            is_whole = False
            break
    places = dict(kept) | {place: row for _, place, row in longest}
    total = rows if is_whole else round(rows * reader.total_bytes / max(reader.bytes_read, 1))
    return SplitSample(total, reader.total_bytes, is_whole, [places[place] for place in sorted(places)])


def write_sample(samples: dict[str, SplitSample], corpus: CorpusSection, root: Path, workspace: Path) -> CorpusSection:
    """The settings of a sample that is written as JSON lines.

    Args:
        samples: of the splits.
        corpus: the settings of the whole corpus.
        root: its workspace.
        workspace: of the sample; its folder ``raw`` is made.
    """
    folder = workspace / RAW
    folder.mkdir(parents=True, exist_ok=True)
    source, names, is_plain = find_folder(corpus, root), dict[str, str](), _is_read_in_blocks(corpus, root, samples)
    for split, sample in samples.items():
        names[split] = _write_rows(folder / split, sample.sampled, is_plain)
        if corpus.source_kind != "text":
            _link_files({row.source for row in sample.sampled}, source, folder)
        if corpus.target_kind != "text":
            _link_files({row.target for row in sample.sampled}, source, folder)
    files = {split: [names[split]] if split in samples else [] for split in SPLITS}
    monolingual = [
        {**item.model_dump(), "file": _write_sentences(source / item.file, folder, number)}
        for number, item in enumerate(corpus.monolingual)
    ]
    whole = corpus.model_dump() | {
        "path": RAW, "files": files, "format": "auto", "header": True, "delimiter": "", "comment_prefix": "", "columns": [],
        "source_column": "source", "target_column": "target", "conversations": None, "monolingual": monolingual,
    }  # fmt: skip
    return CorpusSection.model_validate(whole)


def _is_read_in_blocks(corpus: CorpusSection, root: Path, samples: Iterable[str]) -> bool:
    """Whether the rows of all splits are lines of text or TSV, which the stages read in blocks and keep for their next run."""
    entries = (entry for split in samples for entry in SplitReader(corpus, root, split).entries)
    formats = {entry.format for entry in entries}
    is_commented = "tsv" in formats and bool(corpus.comment_prefix)
    return formats <= {"text", "tsv"} and not is_commented and corpus.conversations is None


def _write_rows(place: Path, rows: Sequence[Row], is_plain: bool) -> str:
    """Writes rows as TSV where that is possible and the corpus is read as such, else as JSON lines; returns the file's name."""
    values = [{"source": row.source, "target": row.target, **row.columns} for row in rows]
    names = list(values[0]) if values else []
    if is_plain and names and all(list(row) == names and not any(map(ENDS_A_CELL.search, row.values())) for row in values):
        file = place.with_suffix(".tsv")
        lines = ["\t".join(cells) for cells in (names, *(row.values() for row in values))]
    else:
        file, lines = place.with_suffix(".jsonl"), [json.dumps(row, ensure_ascii=False) for row in values]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    return file.name


def _link_files(names: set[str], source: Path, folder: Path) -> None:
    for name in names:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to((source / name).resolve())


def _write_sentences(file: Path, folder: Path, number: int) -> str:
    name = f"monolingual-{number}{Path(file.name.removesuffix('.gz')).suffix}"
    (folder / name).write_bytes(b"".join(islice(_lines(file), SENTENCES)))
    return name


def _lines(file: Path) -> Iterator[bytes]:
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as stream:
        yield from stream
