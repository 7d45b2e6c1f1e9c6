from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from seq2seq_core.artifacts import Paths
from seq2seq_core.registry.ledger import Entry, Ledger, chain
from seq2seq_core.registry.ledger_writing import LedgerConflict, append, follow, read_ledger, synchronise
from seq2seq_core.registry.versions import current_champion
from seq2seq_core.tracking.mlflow.store import connect
from tests.unit.registry.dying_client import DyingClient, Killed

pytestmark = pytest.mark.usefixtures("light_registration")

NAME = "dates"


@pytest.fixture
def client(tracked_paths: Paths) -> Any:
    opened = connect(tracked_paths)
    opened.create_registered_model(NAME)
    for _ in range(4):
        opened.create_model_version(NAME, tracked_paths.root.as_uri())
    return opened


def move(version: str, before: str = "", reason: str = "better") -> Entry:
    return Entry("promoted", version, version, before, reason, who=f"writer {version}")


def promote(client: Any, version: str) -> Entry:
    """Promotes a version as a command does: synchronises, decides, appends, and decides anew after a conflict."""
    while True:
        ledger = synchronise(client, NAME)
        try:
            return append(client, NAME, move(version, ledger.champion), ledger)
        except LedgerConflict:
            continue


def test_moves_are_read_back_in_order_with_all_that_was_said(client: Any) -> None:
    first = append(client, NAME, replace(move("1"), evidence='{"k": 1}', test_rows="a" * 12), Ledger())
    second = append(client, NAME, Entry("kept", "2", "1", "1", "no better", test_rows="a" * 12), read_ledger(client, NAME))
    ledger = read_ledger(client, NAME)
    assert [replace(entry, is_applied=True) for entry in ledger.entries] == [
        replace(one, is_applied=True) for one in (first, second)
    ]
    assert (ledger.champion, ledger.looks("a" * 12), ledger.looks("b" * 12)) == ("1", 2, 0)
    assert ledger.find("1") == ledger.entries[0]
    assert [entry.is_move for entry in ledger.entries] == [True, False]
    assert all(entry.is_applied and entry.when for entry in ledger.entries)
    assert current_champion(client, NAME) == "1"


def test_of_two_writers_with_the_same_knowledge_the_second_decides_anew(client: Any) -> None:
    known = read_ledger(client, NAME)
    append(client, NAME, move("1"), known)
    with pytest.raises(LedgerConflict) as conflict:
        append(client, NAME, move("2"), known)
    assert (conflict.value.entry.version, conflict.value.entry.who) == ("1", "writer 1")
    assert current_champion(client, NAME) == read_ledger(client, NAME).champion == "1"


def test_writers_at_once_lose_no_entry_and_the_alias_follows_the_last_one(client: Any, tracked_paths: Paths) -> None:
    versions = [str(1 + number % 4) for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda version: promote(connect(tracked_paths), version), versions))
    ledger = read_ledger(client, NAME)
    assert sorted(entry.number for entry in ledger.entries) == sorted(entry.number for entry in written)
    assert all(later.before == earlier.champion for earlier, later in itertools.pairwise(ledger.entries))
    assert current_champion(client, NAME) == ledger.champion


def test_an_entry_whose_request_failed_after_it_was_written_is_not_written_again(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, failures = client.create_model_version, iter([True, False])

    def create_and_fail(*arguments: Any, **named: Any) -> Any:
        written = create(*arguments, **named)
        if next(failures):
            raise MlflowException("(sqlite3.IntegrityError) UNIQUE constraint failed: logged_model_tags")
        return written

    monkeypatch.setattr(client, "create_model_version", create_and_fail)
    written = promote(client, "1")
    assert [entry.number for entry in read_ledger(client, NAME).entries] == [written.number]
    assert len(client.search_model_versions(f"name = '{NAME}.ledger'")) == 1


def test_a_writer_that_dies_between_any_two_calls_leaves_a_ledger_that_the_next_one_completes(client: Any) -> None:
    deaths = 0
    for moment in itertools.count():
        before = read_ledger(client, NAME)
        version = str(1 + moment % 4)
        try:
            promote(DyingClient(client, moment), version)
        except Killed:
            deaths += 1
        else:
            break
        ledger = synchronise(client, NAME)
        assert ledger.entries[: len(before.entries)] == tuple(replace(entry, is_applied=True) for entry in before.entries)
        assert len(ledger.entries) - len(before.entries) in (0, 1)
        assert current_champion(client, NAME) == ledger.champion
        assert "adopted" not in {entry.kind for entry in ledger.entries}
    assert deaths >= 7


def test_an_alias_that_was_moved_or_removed_elsewhere_is_adopted(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    promote(client, "1")
    client.set_registered_model_alias(NAME, "champion", "2")
    adopted = synchronise(client, NAME).last
    assert adopted is not None
    assert (adopted.kind, adopted.champion, adopted.before) == ("adopted", "2", "1")
    client.delete_registered_model_alias(NAME, "champion")
    ledger = synchronise(client, NAME)
    assert (ledger.champion, ledger.champions()) == ("", ["2", "1"])
    assert synchronise(client, NAME) == ledger
    assert "the alias was given to version 2 without this ledger of 'dates'; the ledger notes it" in caplog.messages


def test_a_slow_writer_does_not_take_the_alias_back(client: Any) -> None:
    append(client, NAME, move("1"), Ledger())
    stale = read_ledger(client, NAME)
    promote(client, "2")
    follow(client, NAME, replace(stale, entries=(replace(stale.entries[0], is_applied=False),)))  # it sets the alias only now
    assert current_champion(client, NAME) == "2"


def test_a_model_that_was_deleted_and_created_again_begins_a_history_of_its_own(client: Any) -> None:
    promote(client, "1")
    client.delete_registered_model(NAME)
    client.create_registered_model(NAME)
    client.create_model_version(NAME, "file:///elsewhere")
    ledger = synchronise(client, NAME)
    assert (ledger.entries, ledger.last_number) == ((), 1)
    promote(client, "1")
    assert [entry.number for entry in read_ledger(client, NAME).entries] == [2]


def numbered(*seen: tuple[int, int]) -> Iterator[Entry]:
    return (replace(move("1"), number=number, seen=last) for number, last in seen)


def test_entries_count_by_what_their_writers_had_seen() -> None:
    def kept(*seen: tuple[int, int]) -> list[int]:
        return [entry.number for entry in chain(numbered(*seen))]

    assert kept((1, 0), (2, 1), (3, 2)) == [1, 2, 3]
    assert kept((3, 2), (1, 0), (2, 0)) == [1]  # the second was too late; the third follows one that does not count
    assert kept((1, 0), (2, 0), (3, 1), (4, 1), (5, 3)) == [1, 3, 5]
    assert kept((1, 0), (3, 2), (4, 2), (5, 3)) == [1, 3, 5]  # somebody deleted the second
    assert kept((1, -1), (2, 0)) == [2]  # the first cannot be read


def test_people_see_few_tags_of_an_entry_and_programs_the_others(client: Any) -> None:
    entry = replace(move("2", "1", "better | by far"), evidence='{"p": 0.01}', test_rows="ab")
    append(client, NAME, entry, Ledger())
    written = client.get_model_version("dates.ledger", "1")
    assert {key for key in written.tags if not key.startswith("mlflow.")} == {"kind", "version", "champion", "before", "who"}
    assert written.description == (
        "version 2 promoted: champion is version 2, before version 1, by writer 2\n\nbetter | by far\n\n"
        "[Version 2 of dates](#/models/dates/versions/2)\n"
    )
    found = read_ledger(client, NAME).entries[0]
    assert (found.evidence, found.test_rows, found.reason) == ('{"p": 0.01}', "ab", "better | by far")
