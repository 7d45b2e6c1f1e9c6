from __future__ import annotations

import gzip
import io
import random
from collections import Counter
from typing import Any

import pytest

from seq2seq_core.corpus import bounded_lines
from seq2seq_core.errors import CorpusError

from ..conftest import ReadTrain, WriteFile

HEADER = b"source\ttarget\n"
BAD_BYTES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "corpus/c.tsv: the file is empty; expected at least one row"),
    "binary": (
        HEADER + b"a\tb\n\x89PNG\x00\x00",
        "corpus/c.tsv:3: a NUL byte at offset 22: the file is binary or UTF-16; expected text in UTF-8",
    ),
    "Latin-1": (
        HEADER + b"a\tb\nsp\xe4t\tlate\n",
        "corpus/c.tsv:3: not UTF-8: byte 0xE4 at offset 20 (invalid continuation byte), in 'sp\\\\xe4t\\tlate'; "
        "expected UTF-8: it is likely CP1252, which reads 'spät\\tlate' here: "
        "`iconv -f CP1252 -t UTF-8 corpus/c.tsv > converted` converts it",
    ),
    "nothing but a byte-order mark": (b"\xef\xbb\xbf", "corpus/c.tsv: the file is empty; expected at least one row"),
    "UTF-16 without a mark": (
        "source\ttarget\nä\tb\n".encode("utf-16-le"),
        "corpus/c.tsv:1: every second byte of the file is NUL (00): it is UTF-16LE without a byte-order mark; expected UTF-8: "
        "`iconv -f UTF-16LE -t UTF-8 corpus/c.tsv > converted` converts it",
    ),
    "a stray NUL": (
        HEADER + "spät\tla".encode() + b"\0te\n",
        "corpus/c.tsv:2: a stray NUL byte (00) at offset 22, in 'spät\\tla\\x00te'; expected text without it: "
        "`tr -d '\\0' < corpus/c.tsv > converted` removes it",
    ),
    "UTF-16": (
        "source\ttarget\n".encode("utf-16"),
        "corpus/c.tsv:1: the file begins with the byte-order mark of UTF-16LE (FF FE); expected UTF-8: "
        "`iconv -f UTF-16 -t UTF-8 corpus/c.tsv > converted` converts it",
    ),
    "UTF-32": (
        "source\ttarget\n".encode("utf-32"),
        "corpus/c.tsv:1: the file begins with the byte-order mark of UTF-32LE (FF FE 00 00); expected UTF-8: "
        "`iconv -f UTF-32 -t UTF-8 corpus/c.tsv > converted` converts it",
    ),
    "bare CR": (
        b"source\ttarget\ra\tb\rc\td\r",
        "corpus/c.tsv:1: lines end in a bare carriage return (CR, 0D): 3 of them in the first 22 bytes, against 0 line feeds "
        "(LF, 0A), so that the file looks like one line to most readers; expected LF or CRLF: "
        "`tr '\\r' '\\n' < corpus/c.tsv > converted` converts it",
    ),
    "gzip without .gz": (gzip.compress(HEADER), "corpus/c.tsv: gzip-compressed, but its name does not end in .gz; rename it"),
}


@pytest.mark.parametrize("fault", BAD_BYTES)
def test_bytes_that_are_no_text_are_named(write_file: WriteFile, read_train: ReadTrain, fault: str) -> None:
    data, message = BAD_BYTES[fault]
    write_file("c.tsv", data)
    with pytest.raises(CorpusError) as caught:
        read_train("c.tsv")
    assert str(caught.value) == message


def test_a_file_that_ends_in_gz_but_is_not_packed_is_named(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.tsv.gz", HEADER)
    with pytest.raises(CorpusError) as caught:
        read_train("c.tsv.gz")
    assert str(caught.value) == "corpus/c.tsv.gz: not valid gzip data (Not a gzipped file (b'so')), which the ending .gz promises"


def test_bytes_behind_the_gzip_data_are_named(write_file: WriteFile, read_train: ReadTrain) -> None:
    packed = gzip.compress(HEADER + b"a\tb\n")
    write_file("c.tsv.gz", packed + gzip.compress(b"c\td\n") + bytes(512))
    assert [row.source for row in read_train("c.tsv.gz")] == ["a", "c"], "gzip allows several parts, and zeros behind them"
    write_file("c.tsv.gz", packed + b"<html>")
    with pytest.raises(CorpusError) as caught:
        read_train("c.tsv.gz")
    assert str(caught.value) == (
        "corpus/c.tsv.gz: other bytes follow the end of the gzip data; expected nothing behind it: "
        "`gzip -dc corpus/c.tsv.gz > unpacked` unpacks what comes before them"
    )


@pytest.mark.parametrize("name", ["c.tsv", "c.csv", "c.jsonl", "c.tsv.gz"])
def test_a_byte_order_mark_of_utf8_is_no_text(write_file: WriteFile, read_train: ReadTrain, name: str) -> None:
    text = {"c.csv": '"source",target\n\ufeffa,b\n', "c.jsonl": '{"source": "\ufeffa", "target": "b"}\n'}
    data = b"\xef\xbb\xbf" + text.get(name, "source\ttarget\n\ufeffa\tb\n").encode()
    write_file(name, gzip.compress(data) if name.endswith(".gz") else data)
    assert [(row.source, row.target) for row in read_train(name)] == [("\ufeffa", "b")]


def test_gzip_data_that_is_cut_off_is_named(write_file: WriteFile, read_train: ReadTrain) -> None:
    lines = b"".join(b"%d\t%d\n" % (i, i) for i in range(1000))
    write_file("c.tsv.gz", gzip.compress(HEADER + lines)[:-200])
    with pytest.raises(CorpusError) as caught:
        read_train("c.tsv.gz")
    assert str(caught.value) == "corpus/c.tsv.gz: the gzip data ends too early: the file was cut off; copy or download it again"


def test_gzip_data_that_is_damaged_is_named(write_file: WriteFile, read_train: ReadTrain) -> None:
    packed = bytearray(gzip.compress(HEADER + b"a\tb\n"))
    packed[-6] ^= 0xFF  # in the checksum
    write_file("c.tsv.gz", bytes(packed))
    with pytest.raises(
        CorpusError, match=r"^corpus/c\.tsv\.gz: not valid gzip data \(CRC check failed .*\), which the ending \.gz promises$"
    ):
        read_train("c.tsv.gz")


def test_invalid_utf8_in_a_packed_file_counts_in_unpacked_bytes(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.tsv.gz", gzip.compress(HEADER + b"\xff\tb\n"))
    with pytest.raises(CorpusError, match=r"^corpus/c\.tsv\.gz:2: not UTF-8: byte 0xFF at offset 14 of the unpacked file"):
        read_train("c.tsv.gz")


def test_a_stray_carriage_return_inside_a_line_stays_in_its_text(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.tsv", HEADER + b"a\rb\tc\nd\te\n")
    assert [row.source for row in read_train("c.tsv")] == ["a\rb", "d"]


def test_random_bytes_are_rows_or_a_corpus_error_and_never_a_crash(
    write_file: WriteFile, read_train: ReadTrain, fresh_seed: int
) -> None:
    generator = random.Random(fresh_seed)
    alphabet = [b"\t", b"\n", b"\r", b"\0", b'"', b",", b"{", b"}", b"\xc3", b"\xa4", b"\xff", b"a", b"\xe2\x80\xa8", b"\x1f\x8b"]
    outcomes = Counter[bool]()
    for name in ("c.tsv", "c.csv", "c.jsonl", "c.tsv.gz"):
        for _ in range(100):
            data = b"".join(generator.choices(alphabet, k=generator.randrange(12)))
            write_file(name, gzip.compress(data) if name.endswith(".gz") else data)
            outcomes[_is_refused(read_train, name)] += 1
    assert min(outcomes[True], outcomes[False]) > 0


def _is_refused(read_train: ReadTrain, name: str) -> bool:
    try:
        read_train(name, header=False, columns=["source", "target"])
    except CorpusError as error:
        if not str(error).startswith(f"corpus/{name}"):
            raise
        return True
    return False


def test_a_line_without_an_end_is_a_fault_of_one_line_and_not_taken_into_memory(
    write_file: WriteFile, read_train: ReadTrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_lines, "LONGEST_LINE", 64)
    monkeypatch.setattr(bounded_lines, "SKIPPED_BYTES", 16)
    fits = "x" * 61 + "\t" + "y\n"
    write_file("a.tsv", f"source\ttarget\n{fits}x{fits}a\tb\n{'z' * 5000}\tend".encode())
    with pytest.raises(CorpusError, match=r"a\.tsv:3: a line of 65 bytes, which begins with 'x+'; expected a row a line"):
        read_train("a.tsv")
    rows = read_train("a.tsv", max_malformed_fraction=0.5)
    assert [(row.line, row.source[:2]) for row in rows] == [(2, "xx"), (4, "a")]
    raw: Any = io.FileIO(write_file("b.txt", b"z" * 5000 + b"\nend"))
    with io.BufferedReader(raw, 8) as stream:
        lines = bounded_lines.BoundedLines(stream)
        assert [(len(line), lines.num_cut) for line in lines] == [(64, 4937), (3, 0)]
