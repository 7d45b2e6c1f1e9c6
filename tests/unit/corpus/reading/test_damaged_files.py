"""Whatever bytes a corpus file holds, reading it gives rows or an error about the file; no library's own error comes through."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import soundfile

from seq2seq_core.audio.sound_file import RecordingError, read_recording
from seq2seq_core.errors import CorpusError

from ..conftest import ReadTrain, WriteFile

NUM_DAMAGES = 60
ROWS = [(f"text {number} é中", f"target {number * 7}", number) for number in range(200)]


def parquet(compression: str, **options: object) -> bytes:
    sources, targets, numbers = zip(*ROWS, strict=True)
    columns = {
        "source": sources, "target": targets, "n": numbers, "when": [datetime(2031, 5, 3, tzinfo=UTC)] * len(ROWS),
        "list": [[1, 2]] * len(ROWS), "struct": [{"a": "x"}] * len(ROWS),
    }  # fmt: skip
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), buffer, compression=compression, **options)
    return buffer.getvalue()


def lines(separator: str) -> bytes:
    rows = (("source", "target", "n"), *ROWS)
    return "".join(separator.join(map(str, row)) + "\n" for row in rows).encode()


def jsonl() -> bytes:
    rows = ({"source": source, "target": target, "n": {"a": [number]}} for source, target, number in ROWS)
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def sound(kind: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.random.default_rng(1).integers(-3000, 3000, 4000, dtype=np.int16), 8000, "PCM_16", format=kind)
    return buffer.getvalue()


CORPORA: dict[str, Callable[[], bytes]] = {
    "plain.parquet": lambda: parquet("none"),
    "snappy.parquet": lambda: parquet("snappy"),
    "zstd.parquet": lambda: parquet("zstd", row_group_size=50),
    "c.tsv": lambda: lines("\t"),
    "c.tsv.gz": lambda: gzip.compress(lines("\t")),
    "c.csv": lambda: lines(","),
    "c.jsonl": jsonl,
}


def damage(data: bytes, chance: random.Random) -> bytes:
    """Overwrites bytes anywhere, in a row, in the header or in the footer; or cuts the end off."""
    damaged, size = bytearray(data), chance.choice([1, 2, 4, 40, 200])
    match chance.randrange(5):
        case 0:
            for _ in range(size):
                damaged[chance.randrange(len(data))] = chance.randrange(256)
        case 1:
            start = chance.randrange(len(data))
            damaged[start : start + size] = chance.randbytes(size)
        case 2:
            start = chance.randrange(min(len(data), 200))
            damaged[start : start + 4] = chance.randbytes(4)
        case 3:
            start = max(0, len(data) - chance.randrange(1, 1500))
            damaged[start : start + 4] = chance.randbytes(4)
        case _:
            del damaged[chance.randrange(len(data)) :]
    return bytes(damaged)


@pytest.mark.parametrize("name", CORPORA)
def test_a_damaged_corpus_file_is_read_or_named(
    write_file: WriteFile, read_train: ReadTrain, name: str, fresh_random: random.Random
) -> None:
    whole = CORPORA[name]()
    write_file(name, whole)
    assert len(read_train(name)) == len(ROWS)
    told: list[str] = []
    for _ in range(NUM_DAMAGES):
        write_file(name, damage(whole, fresh_random))
        try:
            read_train(name)
        except CorpusError as error:
            told.append(str(error))
    assert told
    assert [message for message in told if not message.startswith(f"corpus/{name}:")] == []


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_damaged_recording_is_read_or_refused(
    tmp_path: Path, kind: str, fresh_random: random.Random, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, path, outcomes = sound(kind), tmp_path / "recording", Counter[str]()
    for _ in range(NUM_DAMAGES):
        path.write_bytes(damage(whole, fresh_random))
        for source in (path, io.BytesIO(path.read_bytes())):
            try:
                read_recording(source, 8000)
                outcomes["read"] += 1
            except RecordingError:
                outcomes["refused"] += 1
    assert outcomes["refused"] > 0
    assert "Traceback" not in capfd.readouterr().err, "libsndfile calls back into Python, which shows errors by itself"


def test_parquet_that_is_damaged_in_the_middle_names_the_last_good_row(write_file: WriteFile, read_train: ReadTrain) -> None:
    numbers = [str(number) for number in range(10_000)]
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(
        pyarrow.table({"source": numbers, "target": numbers}), buffer, compression="gzip", row_group_size=4096, use_dictionary=False
    )
    data = bytearray(buffer.getvalue())
    start = int(pyarrow.parquet.ParquetFile(io.BytesIO(data)).metadata.row_group(1).column(0).data_page_offset)
    data[start + 60 : start + 100] = bytes(40)
    write_file("c.parquet", bytes(data))
    with pytest.raises(CorpusError, match=r"^corpus/c\.parquet: not a Parquet file that can be read beyond row 4096 \(.+\)$"):
        read_train("c.parquet")
