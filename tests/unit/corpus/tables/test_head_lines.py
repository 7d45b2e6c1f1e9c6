"""Lines before the first row of a table that are no rows."""

from __future__ import annotations

import pytest

from seq2seq_core.errors import CorpusError
from tests.unit.corpus.conftest import ReadTrain, WriteFile

ANKI = b"#separator:tab\n#html:false\n#columns:Front\tBack\n"


def test_comments_at_the_head_are_passed_over_and_lines_keep_their_numbers(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.tsv", ANKI + b"one\teins\n#two\tzwei\n")
    rows = read_train(
        "c.tsv", comment_prefix="#", header=False, columns=["Front", "Back"], source_column="Front", target_column="Back"
    )
    assert [(row.line, row.source, row.target) for row in rows] == [(4, "one", "eins"), (5, "#two", "zwei")], (
        "behind the first row, a line is a row whatever it begins with"
    )


def test_the_separator_line_of_excel_is_passed_over_before_the_header(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.csv", b'\xef\xbb\xbfsep=;\r\nsource;target\r\n"a;\r\nb";c\r\nd;e\r\n')
    rows = read_train("c.csv", comment_prefix="sep=", delimiter=";")
    assert [(row.line, row.source, row.target) for row in rows] == [(3, "a;\r\nb", "c"), (5, "d", "e")]


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({}, "corpus/c.tsv:1: no column 'source'; the columns are '#separator:tab'; "),
        ({"header": False}, "corpus/c.tsv:1: expected 2 columns (source, target), got 1: '#separator:tab'"),
    ],
)
def test_head_lines_without_the_setting_are_refused_with_the_way_out(
    write_file: WriteFile, read_train: ReadTrain, layout: dict[str, object], message: str
) -> None:
    write_file("c.tsv", ANKI + b"one\teins\n")
    with pytest.raises(CorpusError) as caught:
        read_train("c.tsv", **layout)
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith("; if the lines at the head that begin with '#' are no rows: corpus.comment_prefix: '#'")
