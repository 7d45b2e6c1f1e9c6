from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from pydantic import ValidationError

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.formats import Row
from seq2seq_core.errors import CorpusError

from ..conftest import ReadTrain, WriteFile

ROWS = [Row("Hallo", "hello", {"id": "1"}, "", 0), Row("Größe 大", 'a "size"', {"id": "2"}, "", 0)]
FILES = {
    "c.tsv": 'source\ttarget\tid\nHallo\thello\t1\nGröße 大\ta "size"\t2\n',
    "c.csv": 'source,target,id\nHallo,hello,1\n"Größe 大","a ""size""",2\n',
    "c.jsonl": '{"source": "Hallo", "target": "hello", "id": 1}\n{"id": "2", "target": "a \\"size\\"", "source": "Größe 大"}\n',
}


def _texts(rows: list[Row]) -> list[tuple[str, str, dict[str, str]]]:
    return [(row.source, row.target, row.columns) for row in rows]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_every_text_format_gives_the_same_rows(
    write_file: WriteFile, read_train: ReadTrain, name: str, is_packed: bool, line_end: str
) -> None:
    data = FILES[name].replace("\n", line_end).encode()
    if is_packed:
        name, data = f"{name}.gz", gzip.compress(data)
    write_file(name, data)
    rows = read_train(name)
    assert _texts(rows) == _texts(ROWS)
    first = 1 if "jsonl" in name else 2
    assert [(row.file, row.line) for row in rows] == [(name, first), (name, first + 1)]


@pytest.mark.parametrize(
    ("name", "data", "layout"),
    [
        ("c.txt", 'Hallo ||| hello ||| 1\nGröße 大 ||| a "size" ||| 2\n', {"format": "tsv", "delimiter": " ||| "}),
        ("c.tsv", 'Hallo|hello|1\nGröße 大|a "size"|2\n', {"delimiter": "|"}),
        ("c.csv", 'Hallo;hello;1\n"Größe 大";"a ""size""";2\n', {"delimiter": ";"}),
        ("c.txt", 'Hallo\thello\t1\n"Größe 大"\t"a ""size"""\t2\n', {"format": "csv", "delimiter": "\t"}),
    ],
)
def test_cells_are_separated_by_any_delimiter(
    write_file: WriteFile, read_train: ReadTrain, name: str, data: str, layout: dict[str, str]
) -> None:
    write_file(name, data.encode())
    assert _texts(read_train(name, header=False, columns=["source", "target", "id"], **layout)) == _texts(ROWS)


@pytest.mark.parametrize(
    "layout", [{"delimiter": "||"}, {"delimiter": "||", "format": "csv"}, {"delimiter": '"'}, {"delimiter": "\n"}]
)
def test_a_delimiter_that_no_format_can_have_is_refused(layout: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="delimiter"):
        CorpusSection.model_validate({"path": "x", "files": {"train": ["a.txt"]}, **layout})


def test_a_last_line_without_line_feed_is_a_row(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.tsv", b"source\ttarget\na\tb\nc\td")
    assert [row.source for row in read_train("c.tsv")] == ["a", "c"]


def test_parquet_is_read_by_batches_with_row_numbers(tmp_path: Path, write_file: WriteFile, read_train: ReadTrain) -> None:
    path = write_file("c.parquet", b"")
    numbers = list(range(10_000))
    table = pyarrow.table(
        {"id": numbers, "source": [f"s{i}" for i in numbers], "target": pyarrow.array(["t"] * len(numbers)).dictionary_encode()}
    )
    pyarrow.parquet.write_table(table, path)
    rows = read_train("c.parquet")
    assert len(rows) == 10_000
    assert rows[-1] == Row("s9999", "t", {"id": "9999"}, "c.parquet", 10_000)


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gz"])
def test_two_aligned_text_files_are_one_corpus(write_file: WriteFile, read_train: ReadTrain, is_packed: bool) -> None:
    ending = ".gz" if is_packed else ""
    for name, text in (("a.de", "Hallo\nTschüs\n"), ("a.en", "hello\nbye\n")):
        data = text.encode()
        write_file(name + ending, gzip.compress(data) if is_packed else data)
    rows = read_train((f"a.de{ending}", f"a.en{ending}"))
    assert rows == [Row("Hallo", "hello", {}, f"a.de{ending}", 1), Row("Tschüs", "bye", {}, f"a.de{ending}", 2)]


def test_quotation_marks_in_tsv_are_characters(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.tsv", b'source\ttarget\n"a\tb"\n"c\td\n')
    assert [(row.source, row.target) for row in read_train("c.tsv")] == [('"a', 'b"'), ('"c', "d")]


@pytest.mark.parametrize("character", ["\u0085", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1e"])
@pytest.mark.parametrize("name", ["c.tsv", "c.csv", "c.jsonl"])
def test_only_a_line_feed_ends_a_line(write_file: WriteFile, read_train: ReadTrain, name: str, character: str) -> None:
    source = f"a{character}b"
    escaped = f"a\\u{ord(character):04x}b" if ord(character) < 32 else source
    text = {"c.tsv": f"source\ttarget\n{source}\tx\n", "c.csv": f"source,target\n{source},x\n"}.get(
        name, f'{{"source": "{escaped}", "target": "x"}}\n'
    )
    write_file(name, text.encode())
    assert [row.source for row in read_train(name)] == [source]


def test_a_quoted_csv_cell_may_hold_line_ends_and_the_row_has_its_first_line(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.csv", b'source,target\n"a\nb",x\nc,y\n')
    assert [(row.source, row.line) for row in read_train("c.csv")] == [("a\nb", 2), ("c", 4)]


def test_a_file_without_header_takes_the_configured_columns(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.tsv", b"1\tHallo\thello\n")
    rows = read_train("c.tsv", header=False, columns=["id", "de", "en"], source_column="de", target_column="en")
    assert rows == [Row("Hallo", "hello", {"id": "1"}, "c.tsv", 1)]


def test_without_header_and_columns_the_source_comes_first(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.tsv", b"Hallo\thello\n")
    assert read_train("c.tsv", header=False) == [Row("Hallo", "hello", {}, "c.tsv", 1)]


BAD_FILES: list[tuple[str, bytes, str]] = [
    (
        "c.tsv",
        b"src\ttgt\na\tb\n",
        "corpus/c.tsv:1: no column 'source'; the columns are 'src', 'tgt'; expected corpus.source_column to be one of them "
        "(or corpus.header: false if this line is already a pair)",
    ),
    (
        "c.csv",
        b"source,tgt\na,b\n",
        "corpus/c.csv:1: no column 'target'; the columns are 'source', 'tgt'; expected corpus.target_column to be one of them "
        "(or corpus.header: false if this line is already a pair)",
    ),
    (
        "c.tsv",
        b"source\ttarget\tid\tid\n",
        "corpus/c.tsv:1: two columns have the same name; the columns are 'source', 'target', 'id', 'id'; expected different names",
    ),
    ("c.tsv", b"source\ttarget\na\tb\nc\n", "corpus/c.tsv:3: expected 2 columns (source, target), got 1: 'c'"),
    ("c.tsv", b"source\ttarget\na\tb\tc\n", "corpus/c.tsv:2: expected 2 columns (source, target), got 3: 'a | b | c'"),
    ("c.tsv", b"source\ttarget\n\n", "corpus/c.tsv:2: expected 2 columns (source, target), got an empty line"),
    (
        "c.csv",
        b'source,target\na,b\n"c,d\ne,f\n',
        "corpus/c.csv:3: the row that begins here is not valid CSV (unexpected end of data); expected quotes as in RFC 4180",
    ),
    (
        "c.csv",
        b'source,target\n"a"b,c\n',
        "corpus/c.csv:2: the row that begins here is not valid CSV (',' expected after '\"'); expected quotes as in RFC 4180",
    ),
    (
        "c.jsonl",
        b'{"source": "a", "target": "b"}\n{"source": \n',
        "corpus/c.jsonl:2: not valid JSON (Expecting value: line 2 column 1 (char 12)); expected one JSON object a line",
    ),
    (
        "c.jsonl",
        b'["a", "b"]\n',
        'corpus/c.jsonl:1: not a JSON object, but \'["a", "b"]\'; expected one JSON object a line',
    ),
    ("c.jsonl", b'{"source": "a", "target": 7}\n', "corpus/c.jsonl:1: expected a text in 'target', got 7"),
    ("c.jsonl", b'{"source": null, "target": "b"}\n', "corpus/c.jsonl:1: expected a text in 'source', got null"),
    (
        "c.jsonl",
        b'{"source": "a", "text": "b"}\n',
        "corpus/c.jsonl:1: no column 'target'; the columns are 'source', 'text'; expected corpus.target_column to be one of them",
    ),
    (
        "c.jsonl",
        b'{"source": "\\ud83d", "target": "b"}\n',
        "corpus/c.jsonl:1: the text in 'source' has half of a surrogate pair (a \\ud8xx escape without its partner); "
        "expected one JSON object a line",
    ),
    (
        "c.jsonl",
        b'{"source": "a", "target": "b", "tags": ["x", {"y": "\\ude00"}]}\n',
        "corpus/c.jsonl:1: the text in 'tags' has half of a surrogate pair (a \\ud8xx escape without its partner); "
        "expected one JSON object a line",
    ),
    (
        "c.jsonl",
        b'{"source": "a", "target": "b", "\\ud83d": "x"}\n',
        "corpus/c.jsonl:1: the name '\\\\ud83d' has half of a surrogate pair (a \\ud8xx escape without its partner); "
        "expected one JSON object a line",
    ),
    (
        "c.jsonl",
        b'{"source": "a", "target": "b", "tree": ' + b"[" * 3000 + b"]" * 3000 + b"}\n",
        "corpus/c.jsonl:1: nested deeper than 100 levels; expected one JSON object a line",
    ),
    (
        "c.tsv",
        b'source\ttarget\n"first\nsecond"\tb\n',
        "corpus/c.tsv:2: expected 2 columns (source, target), got 1: '\"first'; a quotation mark is open at the end of the line, "
        "as where Excel quotes a cell with a line end; expected CSV for such cells (save the sheet as CSV UTF-8)",
    ),
    (
        "c.tsv",
        "so\u200burce\ttarget\n".encode(),
        "corpus/c.tsv:1: no column 'source'; the columns are 'so\\u200burce', 'target'; "
        "expected corpus.source_column to be one of them (or corpus.header: false if this line is already a pair); "
        '"source" and "so\\u200burce" look alike and differ only in invisible characters',
    ),
]


@pytest.mark.parametrize(("name", "data", "message"), BAD_FILES, ids=[message[7:50] for _, _, message in BAD_FILES])
def test_a_faulty_row_is_named_with_its_line(
    write_file: WriteFile, read_train: ReadTrain, name: str, data: bytes, message: str
) -> None:
    write_file(name, data)
    with pytest.raises(CorpusError) as caught:
        read_train(name)
    assert str(caught.value) == message


def test_a_third_column_called_source_is_refused_because_it_would_replace_the_source(
    write_file: WriteFile, read_train: ReadTrain
) -> None:
    write_file("c.tsv", b"de\ten\tsource\na\tb\tnews\n")
    with pytest.raises(CorpusError) as caught:
        read_train("c.tsv", source_column="de", target_column="en")
    assert str(caught.value) == (
        "corpus/c.tsv:1: the column 'source' is neither corpus.source_column nor corpus.target_column; rename it in the file"
    )


@pytest.mark.parametrize(("source_lines", "target_lines"), [(3, 2), (2, 5)])
def test_aligned_files_of_unequal_length_give_both_counts(
    write_file: WriteFile, read_train: ReadTrain, source_lines: int, target_lines: int
) -> None:
    write_file("a.de", b"x\n" * source_lines)
    write_file("a.en", b"y\n" * target_lines)
    with pytest.raises(CorpusError) as caught:
        read_train(("a.de", "a.en"))
    assert str(caught.value) == (
        f"corpus/a.de: {source_lines} lines, but corpus/a.en has {target_lines}; "
        "expected a line of the one for each line of the other"
    )


def test_a_file_that_is_not_parquet_is_named(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.parquet", b"source\ttarget\n")
    with pytest.raises(CorpusError) as caught:
        read_train("c.parquet")
    assert str(caught.value).startswith("corpus/c.parquet: not a Parquet file that can be read (Parquet magic bytes not found")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"src": ["a"], "target": ["b"]}, "no column 'source'; the columns are 'src', 'target'; "
         "expected corpus.source_column to be one of them"),
        ({"source": ["a"], "target": [1]}, "expected text in the column 'target', got int64"),
    ],
)  # fmt: skip
def test_a_wrong_column_of_parquet_is_named(
    write_file: WriteFile, read_train: ReadTrain, columns: dict[str, list[object]], message: str
) -> None:
    pyarrow.parquet.write_table(pyarrow.table(columns), write_file("c.parquet", b""))
    with pytest.raises(CorpusError) as caught:
        read_train("c.parquet")
    assert str(caught.value) == f"corpus/c.parquet: {message}"


def test_a_null_in_parquet_is_named_with_its_row(write_file: WriteFile, read_train: ReadTrain) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"source": ["a", None], "target": ["b", "c"]}), write_file("c.parquet", b""))
    with pytest.raises(CorpusError) as caught:
        read_train("c.parquet")
    assert str(caught.value) == "corpus/c.parquet:2: expected a text in 'source', got null"
