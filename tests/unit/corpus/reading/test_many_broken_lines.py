from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.bounded_lines import BoundedLines
from seq2seq_core.corpus.file_faults.broken_lines import BrokenLines
from seq2seq_core.corpus.reading import SplitReader

HEADS = {"a.tsv": "source\ttarget\n", "a.csv": "source,target\n", "a.jsonl": "", "a.jsonl.gz": ""}
GOOD = {"a.tsv": "x\ty\n", "a.csv": "x,y\n", "a.jsonl": '{"source": "x", "target": "y"}\n'}


def _read(folder: Path, name: str, text: str, **options: int) -> tuple[list[int], BrokenLines]:
    data = text.encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    reader = SplitReader(CorpusSection.model_validate({"path": ".", "files": {"train": [name]}}), folder, "train")
    broken = BrokenLines(**options)
    (entry,) = reader.entries
    return [row.line for row in broken.set_aside(broken.collect(reader.iterate_entry(entry, broken)))], broken


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", HEADS)
def test_runs_of_empty_lines_are_counted_with_their_places(name: str, end: str, tmp_path: Path) -> None:
    good, head = GOOD[name.removesuffix(".gz")], HEADS[name]
    first = 1 + bool(head)
    rows, broken = _read(tmp_path, name, head + good + end * 3000 + good + end + good, num_first=2, most=sys.maxsize)
    assert rows == [first, first + 3001, first + 3003]
    assert broken.num_lines == 3001
    told, second, number = broken.faults()
    assert (told.line, second.line) == (first + 1, first + 2)
    places = ", ".join(str(first + 1 + place) for place in range(10))
    assert str(number) == f"{name}: 3,001 lines cannot be read: {places}, …"


def test_many_empty_lines_cost_no_work_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = list[int]()
    add = BrokenLines.add

    def counted(self: BrokenLines, path: str, line: int, num_lines: int, describe: object) -> None:
        taken.append(num_lines)
        add(self, path, line, num_lines, describe)  # type: ignore[arg-type]

    monkeypatch.setattr(BrokenLines, "add", counted)
    rows, broken = _read(tmp_path, "a.jsonl.gz", GOOD["a.jsonl"] + "\n" * 5_000_000, most=sys.maxsize)
    assert (rows, broken.num_lines, sum(taken)) == ([1], 5_000_000, 5_000_000)
    assert len(taken) < 500


def test_empty_lines_of_changing_ends_are_not_looked_at_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, pass_over = list[int](), BoundedLines.pass_over

    def counted(self: BoundedLines, data: bytes) -> int:
        looks.append(found := pass_over(self, data))
        return found

    monkeypatch.setattr(BoundedLines, "pass_over", counted)
    _, broken = _read(tmp_path, "a.tsv", HEADS["a.tsv"] + "\n\r\n" * 3200, most=sys.maxsize)
    assert broken.num_lines == 6400
    assert (max(looks), len(looks)) == (0, 100)


def test_reading_ends_inside_a_run_at_the_most_broken_lines(tmp_path: Path) -> None:
    rows, broken = _read(tmp_path, "a.tsv", HEADS["a.tsv"] + GOOD["a.tsv"] + "\n" * 3000 + GOOD["a.tsv"], most=1000)
    assert (rows, broken.num_lines, broken.is_cut) == ([2], 1000, True)
    assert str(broken.faults()[-1]).startswith("a.tsv: at least 1,000 lines cannot be read: 3, 4, ")


def test_an_empty_line_of_a_quoted_cell_is_no_row(tmp_path: Path) -> None:
    rows, broken = _read(tmp_path, "a.csv", HEADS["a.csv"] + '"x' + "\n" * 200 + '",y\n' + GOOD["a.csv"])
    assert (rows, broken.num_lines) == ([2, 203], 0)
