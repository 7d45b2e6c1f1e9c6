"""Corpus files made at random: seeds in each format that the readers take, and what damages them."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow
import pyarrow.parquet

Content = tuple[bytes, ...]
"""The bytes of a file, or of two aligned ones."""
ROWS = [(f"text {number} é中 \u2028.", f"target, {number * 7}", str(number)) for number in range(300)]
ODD = (
    b"\0", b"\r", b"\r\n", b"\n\n", b"\t", b'"', b'""', b",", b"\\", b"{", b"}", b"[" * 300, b"\xff", b"\xc3", b"\xed\xa0\x80",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\\ud800", b"NaN", b"null", b"PAR1", b"PK\x03\x04", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd",
)  # fmt: skip
LARGE_LINE = 20 << 20


def _table(separator: str, end: str = "\n") -> bytes:
    return "".join(separator.join(row) + end for row in (("source", "target", "n"), *ROWS)).encode()


def _csv() -> bytes:
    quoted = ((f'"{source}\n""x"""', f'"{target}"', number) for source, target, number in ROWS)
    return "".join(",".join(row) + "\n" for row in (("source", "target", "n"), *quoted)).encode()


def _json_lines() -> bytes:
    rows = ({"source": source, "target": target, "n": {"a": [number, None, 1.5]}} for source, target, number in ROWS)
    return "".join(json.dumps(row, ensure_ascii=number % 2 == 0) + "\n" for number, row in enumerate(rows)).encode()


def _parquet(compression: str, **options: object) -> bytes:
    sources, targets, numbers = zip(*ROWS, strict=True)
    columns: dict[str, Any] = {
        "source": sources, "target": pyarrow.array(targets).dictionary_encode(), "n": numbers,
        "when": [datetime(2031, 5, 3, tzinfo=UTC)] * len(ROWS), "nested": [{"a": "x", "b": [1, None]}] * len(ROWS),
    }  # fmt: skip
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), buffer, compression=compression, **options)
    return buffer.getvalue()


def _side(place: int) -> bytes:
    return "".join(row[place] + "\n" for row in ROWS).encode()


def _zipped(*parts: bytes) -> bytes:
    return b"".join(gzip.compress(part, mtime=0) for part in parts)


SEEDS: dict[str, Content] = {
    "a.tsv": (_table("\t"),),
    "bom.tsv": (b"\xef\xbb\xbf" + _table("\t", "\r\n"),),
    "a.csv": (_csv(),),
    "a.jsonl": (_json_lines(),),
    "a.txt b.txt": (_side(0), _side(1)),
    "none.parquet": (_parquet("none"),),
    "snappy.parquet": (_parquet("snappy", data_page_version="2.0"),),
    "zstd.parquet": (_parquet("zstd", row_group_size=50),),
    "a.tsv.gz": (_zipped(_table("\t")),),
    "two.jsonl.gz": (_zipped(_json_lines()[:9000], _json_lines()[9000:]),),
    "a.csv.gz": (_zipped(_csv()),),
    "a.txt.gz b.txt.gz": (_zipped(_side(0)), _zipped(_side(1))),
}
"""By the names of a split's files: their content."""


def _flip(data: bytearray, generator: random.Random) -> None:
    for _ in range(generator.choice((1, 3, 30))):
        data[generator.randrange(len(data))] = generator.randrange(256)


def _cut(data: bytearray, generator: random.Random) -> None:
    del data[generator.randrange(len(data)) :]


def _remove(data: bytearray, generator: random.Random) -> None:
    start = generator.randrange(len(data))
    del data[start : start + generator.randrange(1, 400)]


def _splice(data: bytearray, generator: random.Random) -> None:
    other = generator.choice([part for content in SEEDS.values() for part in content])
    start, place = generator.randrange(len(other)), generator.randrange(len(data))
    data[place : place + generator.choice((0, 200))] = other[start : start + generator.randrange(1, 2000)]


def _insert(data: bytearray, generator: random.Random) -> None:
    for _ in range(generator.choice((1, 5))):
        place = generator.randrange(len(data) + 1)
        data[place:place] = generator.choice(ODD) * generator.choice((1, 1, 50))


def _double(data: bytearray, generator: random.Random) -> None:
    lines = bytes(data).split(b"\n")
    place = generator.randrange(len(lines))
    lines[place:place] = [lines[place]] * generator.choice((1, 3, 2000))
    data[:] = b"\n".join(lines)


def _join(data: bytearray, generator: random.Random) -> None:
    end = generator.choice((b"", b"\r", b"\t"))
    data[:] = bytes(data).replace(b"\n", end)


def _lengthen(data: bytearray, generator: random.Random) -> None:
    if generator.random() < 0.05:  # rare, because it is slow
        place = generator.randrange(len(data) + 1)
        data[place:place] = generator.choice((b"a", b"a ", b"\xe4\xb8\xad")) * (LARGE_LINE // 3)


def _lie(data: bytearray, generator: random.Random) -> None:
    """Changes what heads and tails of compressed files claim: flags, sizes, checksums, the length of Parquet's footer."""
    if data[:2] == b"\x1f\x8b":
        data[generator.choice((2, 3, 4, 8, 9, len(data) - 4, len(data) - 8)) % len(data)] ^= 1 << generator.randrange(8)
    elif data[-4:] == b"PAR1":
        struct.pack_into(
            "<I", data, len(data) - 8, generator.choice((0, 1, 2**31, 2**32 - 1, len(data), generator.randrange(4000)))
        )
    else:
        data[:] = generator.choice((b"\x1f\x8b\x08", b"PAR1", b"")) + data + generator.choice((b"PAR1", b"\0" * 600, b""))


def _bomb(data: bytearray, generator: random.Random) -> None:
    if data[:2] == b"\x1f\x8b" and generator.random() < 0.02:
        part = generator.choice((b"a", b"\n", b"a\tb\n", b"\0"))
        # The reader of lines takes some 13 microseconds a line, and whoever compares all rows holds them.
        data += gzip.compress(part * ((1 if part == b"a\tb\n" else 64) << 20), 1)


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip, _flip, _cut, _remove, _splice, _insert, _insert, _double, _join, _lengthen, _lie, _bomb,
)  # fmt: skip


def mutate(content: Content, generator: random.Random) -> Content:
    """A file, or two, with one to three damages in one of them; what is packed is damaged outside or inside.

    Args:
        content: of a seed.
        generator: decides.
    """
    parts = list(content)
    place = generator.randrange(len(parts))
    is_inside = parts[place][:2] == b"\x1f\x8b" and generator.random() < 0.5
    data = bytearray(gzip.decompress(parts[place]) if is_inside else parts[place])
    for _ in range(generator.choice((1, 1, 2, 3))):
        if data:
            generator.choice(MUTATIONS)(data, generator)
    parts[place] = gzip.compress(bytes(data), 1, mtime=0) if is_inside else bytes(data)
    return tuple(parts)
