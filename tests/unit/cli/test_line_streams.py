from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.cli.line_streams import open_sources, open_targets, read_chunks
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
