from __future__ import annotations

import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from seq2seq_core.tracking.mlflow import outbox as outbox_module
from seq2seq_core.tracking.mlflow.outbox import Addressee, LeftOutbox, Outbox, find_left, keep_records
from seq2seq_core.tracking.mlflow.records import Record, join_points

RUN = Addressee("http://mlflow:5000", "abc")


def tag(text: str) -> Record:
    return Record("tags", {"note": text})


def points(*steps: int) -> Record:
    return Record("points", {"points": [["loss", 1.0 / (step + 1), 1000 + step, step] for step in steps]})


def left(parent: Path) -> LeftOutbox:
    (found,) = find_left(parent)
    return found


def test_what_was_not_sent_is_left_and_what_was_is_not(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", RUN)
    assert not (tmp_path / "outbox").exists(), "nothing is made before it is needed"
    numbers = [outbox.add(tag(text)) for text in "abc"]
    assert list(find_left(outbox.parent)) == [], "its process is alive"
    outbox.mark_sent(numbers[0], numbers[1])
    outbox.close(is_sent=False)
    assert (left(outbox.parent).addressee, left(outbox.parent).records) == (RUN, (tag("c"),))


def test_a_file_of_an_outbox_that_is_up_to_date_starts_anew_and_a_sent_one_is_removed(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, RUN)
    for text in "abc":
        number = outbox.add(tag(text * 1000))
        outbox.mark_sent(number, number)
    assert outbox.folder is not None
    assert (outbox.folder / "records.jsonl").stat().st_size < 200
    outbox.add(tag("d"))
    outbox.close(is_sent=True)
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_was_not_taken_stays_although_later_ones_were_sent(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, RUN)
    for text in "abcd":
        outbox.add(tag(text))
    outbox.mark_sent(1, 1)
    outbox.mark_sent(3, 4)
    outbox.close(is_sent=False)
    assert left(tmp_path).records == (tag("b"),)


def test_an_outbox_that_another_process_removes_meanwhile_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in "ab":
        outbox = Outbox(tmp_path, RUN)
        outbox.add(tag(text))
        outbox.close(is_sent=False)
    gone, stays = sorted(tmp_path.iterdir())
    is_left = outbox_module._is_left

    def deliver_first(name: str) -> bool:
        if name == gone.name and gone.exists():
            shutil.rmtree(gone)
        return is_left(name)

    monkeypatch.setattr(outbox_module, "_is_left", deliver_first)
    assert left(tmp_path).folder == stays


def test_only_the_kept_records_and_their_copies_stay(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("text")
    outbox = Outbox(tmp_path / "outbox", RUN)
    kept, sent = (Record("file", {"copy": outbox.copy(source), "folder": ""}, tries=3, tried_at=5.5) for _ in range(2))
    for record in (tag("sent"), kept, sent):
        outbox.add(record)
    outbox.close(is_sent=False)
    keep_records(left(outbox.parent), [kept])
    found = left(outbox.parent)
    assert (found.addressee, found.records) == (RUN, (kept,))
    assert [path.name for path in found.folder.rglob("*.txt")] == ["a.txt"]
    keep_records(found, [])
    assert list(outbox.parent.iterdir()) == []


def test_points_that_were_not_taken_stay_alone() -> None:
    refused = replace(points(2), tries=1)
    assert list(join_points([points(1), refused, points(3), points(4)])) == [points(1), refused, points(3, 4)]


def test_a_copy_stays_as_it_was(tmp_path: Path) -> None:
    source, folder = tmp_path / "a.txt", tmp_path / "b"
    source.write_text("first")
    folder.mkdir()
    (folder / "c.txt").write_text("inside")
    outbox = Outbox(tmp_path / "outbox", RUN)
    copies = [outbox.copy(source), outbox.copy(source), outbox.copy(folder)]
    source.write_text("second")
    assert outbox.folder is not None
    places = [outbox.folder / copy for copy in copies]
    assert [place.name for place in places] == ["a.txt", "a.txt", "b"]
    assert [places[0].read_text(), places[1].read_text(), (places[2] / "c.txt").read_text()] == ["first", "first", "inside"]
    with pytest.raises(OSError, match=r"nowhere\.txt"):
        outbox.copy(tmp_path / "nowhere.txt")


def test_what_a_killed_process_left_is_found_although_its_last_line_was_cut_short(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from seq2seq_core.tracking.mlflow.outbox import Addressee, Outbox\n"
        "from seq2seq_core.tracking.mlflow.records import Record\n"
        "outbox = Outbox(Path(sys.argv[1]), Addressee('http://mlflow:5000', 'abc'))\n"
        "outbox.add(Record('tags', {'note': 'sent'})); outbox.mark_sent(1, 1)\n"
        "outbox.add(Record('tags', {'note': 'kept'}))\n"
        'outbox._file.write(\'{"number": 3, "kind": "ta\'); outbox._file.flush()\n'
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    living = Outbox(tmp_path, RUN)
    living.add(tag("of a living process"))
    found = left(tmp_path)
    living.close(is_sent=True)
    assert (found.addressee, found.records) == (RUN, (tag("kept"),))


def test_a_value_that_is_no_number_is_kept(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, RUN)
    outbox.add(Record("points", {"points": [["loss", math.nan, 1, 1], ["norm", math.inf, 1, 1]]}))
    outbox.close(is_sent=False)
    ((_, loss, _, _), (_, norm, _, _)) = left(tmp_path).records[0].content["points"]
    assert math.isnan(loss)
    assert norm == math.inf


def test_a_disk_without_room_is_told_once_and_loses_nothing_of_the_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "outbox").write_text("a file in the place of the folder")
    outbox = Outbox(tmp_path / "outbox", RUN)
    assert [outbox.add(tag("a")), outbox.add(tag("b"))] == [1, 2]
    outbox.mark_sent(1, 2)
    outbox.close(is_sent=False)
    (message,) = caplog.messages
    assert message.startswith("what MLflow misses cannot be kept on the disk: [Errno 17] File exists")


def test_neighbouring_points_become_one_request_in_the_same_order() -> None:
    given = [points(1), points(2, 3), tag("a"), points(4), points(*range(5, 1004)), points(1004)]
    joined = list(join_points(given))
    assert joined == [points(1, 2, 3), tag("a"), points(4, *range(5, 1004)), points(1004)]
