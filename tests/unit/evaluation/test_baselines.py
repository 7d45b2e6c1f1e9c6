from __future__ import annotations

from seq2seq_core.evaluation.baselines import copy_source, memorise_else_copy


def test_copying_gives_the_source() -> None:
    assert copy_source(["a", "b"]) == ["a", "b"]


def test_memorising_gives_the_commonest_target_of_train_and_else_the_source() -> None:
    train = [("a", "1"), ("b", "9"), ("a", "2"), ("a", "2"), ("c", "3"), ("c", "4")]
    assert memorise_else_copy(iter(train), ["c", "a", "unseen", "a"]) == ["3", "2", "unseen", "2"]
