"""The input files of a bulk job: which there are, their formats, and the names of their shards."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.corpus.file_faults.foreign_formats import format_of_name
from seq2seq_core.corpus.lines import CorpusFile
from seq2seq_core.corpus.reading import FORMATS_BY_ENDING
from seq2seq_core.errors import UserError

logger = logging.getLogger(__name__)

GZIP = ".gz"
OUTPUT_KINDS = ("parquet", "jsonl", "tsv", "csv")
OUTPUT_FORMATS = (*OUTPUT_KINDS, *(f"{kind}{GZIP}" for kind in OUTPUT_KINDS[1:]))
"""Formats of shards."""
KNOWN_ENDINGS = (*FORMATS_BY_ENDING, ".txt")
"""Endings of the files of a folder that are read."""
MOST_NAMED = 5


@dataclass(frozen=True)
class InputFile:
    """A file whose rows are predicted.

    Attributes:
        file: where it is; its name is relative to the folder that was given.
        kind: ``parquet``, ``jsonl``, ``tsv``, ``csv``, or ``text`` for one source a line.
        output_format: one of :data:`OUTPUT_FORMATS`.
        stamp: its size and time of change when the job began.
    """

    file: CorpusFile
    kind: str
    output_format: str
    stamp: tuple[int, int]

    @property
    def output_kind(self) -> str:
        """The format of its shards, whether packed by gzip or not."""
        return self.output_format.removesuffix(GZIP)

    def check_unchanged(self) -> None:
        """Checks that nobody has written to the file since the job began.

        Raises:
            CorpusError: somebody has.
        """
        if _stamp(self.file.path) != self.stamp:
            raise self.file.fault("the file was changed while it was read; expected an input that stays as it is")


def shard_names(name: str, output_format: str, num_rows: int, shard_rows: int) -> list[str]:
    """The file names of the shards of an input.

    Args:
        name: of the input.
        output_format: one of :data:`OUTPUT_FORMATS`.
        num_rows: its rows.
        shard_rows: rows of a shard.
    """
    return [f"{shard_stem(name)}-{number:05d}.{output_format}" for number in range(math.ceil(num_rows / shard_rows))]


def find_inputs(given: Sequence[Path], output: Path, output_format: str = "") -> list[InputFile]:
    """The input files of a job, those of folders in the order of their names.

    Args:
        given: files and folders.
        output: the folder of the shards.
        output_format: one of :data:`OUTPUT_FORMATS`; empty: that of each input, and JSON lines for text.

    Raises:
        UserError: there is no such file or folder, a folder has nothing to read, a format is unknown or not read, two files
            would have shards of the same names, or the output is inside of the input.
    """
    if output_format and output_format not in OUTPUT_FORMATS:
        raise UserError(f"--format: must be one of {', '.join(OUTPUT_FORMATS)}; got {output_format!r}")
    files = [describe_input(path, name, output_format) for entry in given for path, name in _expand(entry, output)]
    stems: dict[str, InputFile] = {}
    for one in files:
        if (other := stems.setdefault(shard_stem(one.file.name), one)) is not one:
            raise UserError(
                f"{one.file.shown}: its shards would have the names of those of {other.file.shown}; expected files of different "
                "names, or a job for each"
            )
    return files


def _expand(entry: Path, output: Path) -> Iterator[tuple[Path, str]]:
    """The files of an argument, with their names."""
    inside, folder = entry.resolve(), output.resolve()
    if not entry.exists():
        raise UserError(f"{entry}: no such file or folder; expected inputs ({', '.join(KNOWN_ENDINGS)}, also with {GZIP})")
    if not entry.is_dir():
        if not entry.is_file():
            raise UserError(f"{entry}: must be a file or folder, got a pipe or device: a job that goes on reads its input again")
        if inside.is_relative_to(folder):
            raise UserError(f"{entry}: is in the output folder {output}; expected another folder for the output")
        yield entry, entry.name
        return
    if folder.is_relative_to(inside) or inside.is_relative_to(folder):
        raise UserError(f"--into: must be a folder outside of the input {entry}, got {output}")
    names = sorted(path.relative_to(entry).as_posix() for path in entry.rglob("*") if path.is_file())
    shown = [name for name in names if not any(part.startswith((".", "_")) for part in Path(name).parts)]
    read = [name for name in shown if Path(name.removesuffix(GZIP)).suffix.lower() in KNOWN_ENDINGS]
    if not read:
        raise UserError(f"{entry}: holds no file to read; expected names that end in {', '.join(KNOWN_ENDINGS)}, also with {GZIP}")
    if others := [name for name in shown if name not in read]:
        listed = ", ".join(others[:MOST_NAMED]) + (", …" if len(others) > MOST_NAMED else "")
        logger.warning("%s: %d files are not read, as their endings are unknown: %s", entry, len(others), listed)
    yield from ((entry / name, name) for name in read)


def describe_input(path: Path, name: str, output_format: str = "") -> InputFile:
    """An input file with its formats.

    Args:
        path: where it is.
        name: of the file, for its shards.
        output_format: one of :data:`OUTPUT_FORMATS`; empty: see :func:`find_inputs`.

    Raises:
        CorpusError: its format is not read.
    """
    file = CorpusFile(path, name, str(path))
    if foreign := format_of_name(name):
        raise file.fault(foreign.advise(file.shown))
    kind = FORMATS_BY_ENDING.get(Path(name.removesuffix(GZIP)).suffix.lower(), "text")
    if kind == "parquet" and file.is_compressed:
        raise file.fault("a Parquet file is compressed inside and cannot be read through gzip; unpack it first")
    own = "jsonl" if kind == "text" else kind
    return InputFile(file, kind, output_format or f"{own}{GZIP if file.is_compressed else ''}", _stamp(path))


def shard_stem(name: str) -> str:
    """The name of an input without its endings, with which its shards' names begin."""
    return Path(name.removesuffix(GZIP)).with_suffix("").as_posix()


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
