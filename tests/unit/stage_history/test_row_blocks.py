from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from seq2seq_core.stage_history import row_blocks
from seq2seq_core.stage_history.row_blocks import compare_blocks, has_rows, read_blocks

ROWS = [f"{number}\tzahl {number}" for number in range(1, 401)]


def describe(tmp_path: Path, before: list[str], after: list[str], ending: str = "\n") -> str | None:
    old, new = tmp_path / "old.tsv", tmp_path / "new.tsv.gz"
    old.write_bytes("".join(f"{row}\n" for row in before).encode())
    new.write_bytes(gzip.compress(ending.join([*after, ""]).encode()))
    change = compare_blocks(read_blocks(old), read_blocks(new))
    return None if change is None else change.describe()


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ([*ROWS, "401\tx"], "1 row added (line 401)"),
        (["a", "b", *ROWS], "2 rows added (from line 1)"),
        (ROWS[:-1], "1 row removed (it was line 400)"),
        (ROWS[:10] + ROWS[12:], "2 rows removed (the first was line 11)"),
        ([*ROWS[:4], "5\tfünf", *ROWS[5:]], "1 row changed (line 5)"),
        (
            [*ROWS[:4], "5\tfünf", *ROWS[6:], "y", "z"],
            "2 rows added (from line 400), 1 row removed (it was line 6), 1 row changed (line 5)",
        ),
        ([], "400 rows removed (the first was line 1)"),
    ],
)  # fmt: skip
def test_rows_are_counted_with_their_first_line(tmp_path: Path, after: list[str], said: str) -> None:
    assert describe(tmp_path, ROWS, after) == said


def test_line_ends_and_packing_are_no_change(tmp_path: Path) -> None:
    assert describe(tmp_path, ROWS, ROWS) is None
    assert describe(tmp_path, ROWS, ROWS, "\r\n") is None


def test_of_many_rows_only_the_numbers_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_random: random.Random
) -> None:
    monkeypatch.setattr(row_blocks, "MOST_ALIGNED", 10)
    shuffled = ["first", *fresh_random.sample(ROWS, len(ROWS)), "last"]
    assert describe(tmp_path, ROWS, shuffled) == "2 rows added (lines 1 to 402)"


def test_a_large_file_is_compared_by_blocks_that_an_added_row_does_not_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_blocks, "ROW_BYTES", 10)
    rows = [f"{number} {number * number}" for number in range(5000)]
    said = describe(tmp_path, rows, [*rows[:2500], "new", *rows[2500:]])
    assert said is not None
    assert said.startswith("+1 rows, the differences are in lines 2")
    first, last = (int(word) for word in said.split() if word.isdecimal())
    assert first <= 2501 <= last
    assert last - first < 1000


def test_recordings_have_no_rows() -> None:
    assert [has_rows(name) for name in ("a.tsv", "a.jsonl.gz", "a.wav", "a.parquet", "a.gz")] == [True, True, False, False, False]
