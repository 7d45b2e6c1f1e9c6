from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.errors import CorpusError

from ..conftest import WriteFile

TURNS = """conversation\tturn\tspeaker\ttext
c1\t1\tuser\thello
c1\t2\tbot\thi there
c1\t4\tbot\t9 o'clock
c1\t3\tuser\twhen?
c2\t1\tbot\tyes?
c3\t1\tuser\ta
c3\t2\tuser\tb
"""


def read_rows(tmp_path: Path, write_file: WriteFile, content: str = TURNS, name: str = "t.tsv", **settings: object) -> list[Row]:
    write_file(name, content.encode())
    header = settings.pop("header", True)
    columns = settings.pop("columns", [])
    values = {"path": "corpus", "files": {"train": [name]}, "header": header, "columns": columns, "conversations": settings}
    return list(SplitReader(CorpusSection.model_validate(values), tmp_path, "train"))


def test_each_turn_but_the_first_is_the_reply_to_the_last_turns(tmp_path: Path, write_file: WriteFile) -> None:
    rows = read_rows(tmp_path, write_file, context_turns=2, separator=" / ")
    assert [(row.source, row.target, row.line) for row in rows] == [
        ("hello", "hi there", 3),
        ("hello / hi there", "when?", 5),
        ("hi there / when?", "9 o'clock", 4),
        ("a", "b", 8),
    ]
    assert rows[1].columns == {"conversation": "c1", "turn": "3", "speaker": "user"}


def test_only_the_replies_of_some_speakers_may_be_targets(tmp_path: Path, write_file: WriteFile) -> None:
    rows = read_rows(tmp_path, write_file, context_turns=9, speaker_column="speaker", replies_by=["bot"])
    assert [(row.source, row.target) for row in rows] == [("hello", "hi there"), ("hello ⏎ hi there ⏎ when?", "9 o'clock")]


def test_turns_without_numbers_are_in_order_and_json_lines_do_as_well(tmp_path: Path, write_file: WriteFile) -> None:
    content = "a\tone\na\ttwo\nb\tone\na2\tthree\n"
    rows = read_rows(
        tmp_path,
        write_file,
        content,
        header=False,
        columns=["conversation", "text"],
        order_column="",
    )
    assert [(row.source, row.target) for row in rows] == [("one", "two")]
    content = '{"conversation": 7, "turn": 2, "text": "y"}\n{"conversation": 7, "turn": 1, "text": "x"}\n'
    rows = read_rows(tmp_path, write_file, content, "t.jsonl")
    assert [(row.source, row.target) for row in rows] == [("x", "y")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "conversation\tturn\ttext\na\t1\tx\nb\t1\ty\na\t2\tz\n",
            "corpus/t.tsv:4: conversation 'a' goes on after another one has begun; expected its rows together",
        ),
        (
            "conversation\tturn\ttext\na\t1\tx\na\t1.0\ty\n",
            "corpus/t.tsv:3: turn 1 of conversation 'a' stands here and in line 2; expected one of each",
        ),
        ("conversation\tturn\ttext\na\tone\tx\n", "corpus/t.tsv:2: expected a number in 'turn', got 'one'"),
        ("conversation\tturn\ttext\na\tnan\tx\n", "corpus/t.tsv:2: expected a number in 'turn', got 'nan'"),
        (
            "id\tturn\ttext\na\t1\tx\n",
            "corpus/t.tsv:2: no column 'conversation' (corpus.conversations.id_column); beside the text there are 'id', 'turn'",
        ),
        (
            "conversation\tturn\tsaid\na\t1\tx\n",
            "corpus/t.tsv:1: no column 'text'; the columns are 'conversation', 'turn', 'said'; expected "
            "corpus.conversations.text_column to be one of them (or corpus.header: false if this line is already a pair)",
        ),
    ],
)
def test_rows_that_are_no_turns_are_named(tmp_path: Path, write_file: WriteFile, content: str, message: str) -> None:
    with pytest.raises(CorpusError) as caught:
        read_rows(tmp_path, write_file, content)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"conversations": {"replies_by": ["bot"]}}, "speaker_column must be given with replies_by"),
        ({"conversations": {}, "files": {"train": [["a", "b"]]}}, "files: must be single files with conversations, got"),
        ({"conversations": {}, "header": False, "columns": ["conversation", "said"]}, "columns must contain 'text'"),
        ({"conversations": {"separator": "\n"}}, "String should match pattern"),
    ],
)
def test_settings_that_do_not_fit_conversations_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CorpusSection.model_validate({"path": "x", "files": {"train": ["a.tsv"]}} | values)
