from __future__ import annotations

import io
from pathlib import Path

import pytest

from seq2seq_core.cli.line_streams import open_sources, open_targets, read_aligned_chunks, read_chunks, split_pair
from seq2seq_core.errors import CorpusError, UserError


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    place = tmp_path / "sources.txt"
    place.write_bytes("a\u2028b\x85c\r\n\nlast".encode())
    with open_sources(place) as stream:
        assert list(read_chunks(stream, place, chunk_lines=2)) == [["a\u2028b\x85c", ""], ["last"]]


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    place = tmp_path / "sources.txt"
    place.write_bytes(b"fine\nsp\xe4t\n")
    with pytest.raises(CorpusError) as caught, open_sources(place) as stream:
        list(read_chunks(stream, place, chunk_lines=10))
    assert str(caught.value) == (
        f"{place}:2: not UTF-8: byte 0xE4 at offset 7 (invalid continuation byte), in 'sp\\\\xe4t'; expected UTF-8: "
        f"it is likely CP1252, which reads 'spät' here: `iconv -f CP1252 -t UTF-8 {place} > converted` converts it"
    )


def test_a_byte_order_mark_is_no_part_of_a_source(tmp_path: Path) -> None:
    place = tmp_path / "sources.txt"
    place.write_text("\ufefffirst\n\ufeffsecond\n", encoding="utf-8")
    with open_sources(place) as stream:
        assert list(read_chunks(stream, place, chunk_lines=10)) == [["first", "\ufeffsecond"]]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            "three\nMay\n".encode("utf-16"),
            "the file begins with the byte-order mark of UTF-16LE (FF FE); expected UTF-8: "
            "`iconv -f UTF-16 -t UTF-8 FILE > converted` converts it",
        ),
        (
            "three\nMay\n".encode("utf-16-be"),
            "every second byte of the file is NUL (00): it is UTF-16BE without a byte-order mark; expected UTF-8: "
            "`iconv -f UTF-16BE -t UTF-8 FILE > converted` converts it",
        ),
        (
            b"th\0ree\nMay\n",
            "a stray NUL byte (00) at offset 2, in 'th\\x00ree'; expected text without it: "
            "`tr -d '\\0' < FILE > converted` removes it",
        ),
        (b"\x89PNX\0\0\n", "a NUL byte at offset 4: the file is binary or UTF-16; expected text in UTF-8"),
        (
            b"\x89PNG\0\0\n",
            "a PNG picture, and not a list of lines; the names of such files are lines of a list: `echo FILE > list.txt`",
        ),
    ],
)
def test_a_source_that_is_no_utf8_is_named_for_what_it_is(data: bytes, told: str) -> None:
    with pytest.raises(CorpusError) as caught:
        list(read_chunks(io.BytesIO(data), None, chunk_lines=10))
    assert str(caught.value) == f"standard input:1: {told}"


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as missing, open_sources(tmp_path / "no.txt"):
        pass
    assert str(missing.value) == f"{tmp_path / 'no.txt'}: no such file; expected a text file with one source a line"
    with pytest.raises(UserError) as folder, open_sources(tmp_path):
        pass
    assert str(folder.value) == f"{tmp_path}: is a folder; expected a text file with one source a line"


def test_an_output_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "out.txt"
    with pytest.raises(ZeroDivisionError), open_targets(place) as write:
        write("half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with open_targets(place) as write:
        write("ä\n")
    assert place.read_bytes() == "ä\n".encode()


def test_lines_that_belong_together_come_together(tmp_path: Path) -> None:
    first, second = [b"a\n", b"b\n", b"c\n"], [b"1\n", b"2\n", b"3"]
    paths = [tmp_path / "first", tmp_path / "second"]
    assert list(read_aligned_chunks([first, second], paths, 2)) == [(["a", "b"], ["1", "2"]), (["c"], ["3"])]


@pytest.mark.parametrize("chunk_lines", [1, 2, 3, 100])
def test_the_file_that_ends_too_early_is_named(chunk_lines: int) -> None:
    long, short = [b"a\n"] * 5, [b"1\n"] * 3
    with pytest.raises(UserError) as caught:
        list(read_aligned_chunks([long, short], [None, Path("prefixes.txt")], chunk_lines))
    assert str(caught.value) == "prefixes.txt: ends after line 3, but standard input goes on; expected as many lines in both"
    with pytest.raises(UserError) as caught:
        list(read_aligned_chunks([short, long], [Path("a.txt"), Path("b.txt")], chunk_lines))
    assert str(caught.value) == "a.txt: ends after line 3, but b.txt goes on; expected as many lines in both"


def test_a_pair_has_exactly_one_tab() -> None:
    assert split_pair("a b\tc", None, 1) == ("a b", "c")
    assert split_pair("\t", None, 1) == ("", "")
    with pytest.raises(CorpusError) as caught:
        split_pair("a", Path("pairs.tsv"), 7)
    assert str(caught.value) == "pairs.tsv:7: 1 column; expected a source, a TAB and a target"
    with pytest.raises(CorpusError) as caught:
        split_pair("a\tb\tc", None, 8)
    assert str(caught.value) == "standard input:8: 3 columns; expected a source, a TAB and a target"
