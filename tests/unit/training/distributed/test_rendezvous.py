from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from torch.distributed import HashStore, PrefixStore, Store  # type: ignore[attr-defined]

from seq2seq_core.training.distributed.rendezvous import enter_attempt

SOON = timedelta(seconds=20)


def enter_all(store: Store, number: int) -> list[PrefixStore]:
    found: dict[int, PrefixStore] = {}

    def enter(rank: int) -> Callable[[], None]:
        return lambda: found.update({rank: enter_attempt(store, rank, number, SOON)})

    threads = [threading.Thread(target=enter(rank)) for rank in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[rank] for rank in range(number)]


def test_ranks_of_an_attempt_share_keys_and_see_none_of_an_attempt_before() -> None:
    store = HashStore()
    for attempt, number in enumerate((3, 3, 2)):
        own = enter_all(store, number)
        assert not own[-1].check(["address"])
        own[0].set("address", str(attempt))
        assert [one.get("address").decode() for one in own] == [str(attempt)] * number


def test_a_question_left_by_an_attempt_that_died_does_not_stand_for_the_rank() -> None:
    store = HashStore()
    store.set("asks/1", "left-by-a-dead-rank")
    first, second = enter_all(store, 2)
    first.set("address", "here")
    assert second.get("address") == b"here"


def test_a_rank_that_does_not_come_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"rank 1 did not come within 0\.1 s"):
        enter_attempt(HashStore(), 0, 2, timedelta(seconds=0.1))
