"""A hash of each row of a corpus, kept with a version so that the rows of two versions can be compared without their corpora."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.errors import UserError

HASH_BYTES = 8
MAX_ROWS = 2_000_000
"""Most rows of a corpus that are hashed (16 MB with a version); of a larger one a version keeps the digests of files alone."""

Hashes = NDArray[np.uint64]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CorpusRows:
    """The rows of a corpus.

    Attributes:
        files: a hash of each row in order, by the file's name; row ``i`` is line ``i + 1``.
    """

    files: Mapping[str, Hashes]

    def to_bytes(self) -> bytes:
        """The hashes as an ``.npz`` file; names stand beside the arrays, because an archive's own names are limited."""
        names = np.frombuffer(json.dumps(list(self.files)).encode(), dtype=np.uint8)
        arrays = {f"rows_{place}": hashes for place, hashes in enumerate(self.files.values())}
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, names=names, **arrays)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> CorpusRows:
        """Parses the output of :meth:`to_bytes`.

        Raises:
            UserError: the content is something else.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                names = json.loads(archive["names"].tobytes())
                return cls({name: archive[f"rows_{place}"].astype(np.uint64) for place, name in enumerate(names)})
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
            raise UserError(f"the hashes of the corpus rows cannot be read ({error})") from None


def hash_corpus(folder: Path, names: Sequence[str]) -> CorpusRows | None:
    """The hashes of the rows of a corpus; None where it has more than :data:`MAX_ROWS`.

    Args:
        folder: the corpus folder.
        names: the files with rows, relative to it.
    """
    files: dict[str, Hashes] = {}
    left = MAX_ROWS
    for name in names:
        hashes = bytearray()
        for row in iterate_rows(folder / name):
            if (left := left - 1) < 0:
                logger.info("the corpus has more than %d rows: its lineage keeps digests of files, not of rows", MAX_ROWS)
                return None
            hashes += hashlib.blake2b(row, digest_size=HASH_BYTES).digest()
        files[name] = np.frombuffer(bytes(hashes), dtype="<u8").astype(np.uint64)
    return CorpusRows(files)


def iterate_rows(file: Path) -> Iterator[bytes]:
    """The rows of a corpus file: the lines of a text file without their ends, or the rows of a Parquet file as JSON.

    Args:
        file: of any format that a corpus may have.
    """
    if file.suffix == ".parquet":
        yield from _parquet_rows(file)
        return
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
        for line in stream:
            yield line.rstrip(b"\r\n")


def read_rows_at(file: Path, lines: set[int]) -> dict[int, str]:
    """The texts of some rows, by line.

    Args:
        file: a corpus file.
        lines: from 1.
    """
    last = max(lines, default=0)
    found: dict[int, str] = {}
    for number, row in enumerate(iterate_rows(file), start=1):
        if number in lines:
            found[number] = row.decode("utf-8", "replace")
        if number >= last:
            break
    return found


def _parquet_rows(file: Path) -> Iterator[bytes]:
    from pyarrow import parquet

    for batch in parquet.ParquetFile(file).iter_batches():
        for row in batch.to_pylist():
            yield json.dumps(row, ensure_ascii=False, sort_keys=True, default=str).encode("utf-8", "surrogatepass")
