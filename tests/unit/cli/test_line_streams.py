from __future__ import annotations

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
    assert str(caught.value) == f"{place}:2: not UTF-8 at byte 3 of the line; expected UTF-8 text"


def test_a_byte_order_mark_is_no_part_of_a_source(tmp_path: Path) -> None:
    place = tmp_path / "sources.txt"
    place.write_text("\ufefffirst\nsecond\n", encoding="utf-8")
    with pytest.raises(CorpusError) as caught, open_sources(place) as stream:
        list(read_chunks(stream, place, chunk_lines=10))
    told = "begins with a byte-order mark (EF BB BF), which would become part of the line; expected UTF-8 without it"
    assert str(caught.value) == f"{place}:1: {told}"


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
