from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.errors import DecodingStopped
from seq2seq_core.serving import id_counts
from seq2seq_core.serving.id_counts import count_ids
from seq2seq_core.tokenization.subword import SubwordModel, train_subword

WORDS = ["a", "straße", "naïve", "42", "house", "houses", "re-read", "日本語"]


class Counting(SubwordModel):
    """Counts what it encodes."""

    characters = most_at_once = 0

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        size = sum(map(len, texts))
        self.characters += size
        self.most_at_once = max(self.most_at_once, size)
        return super().encode(texts)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    draw = random.Random(3)
    spaced = [draw.choice([" ", " ", "  ", "   "]).join(draw.choices(WORDS, k=draw.randrange(300))) for _ in range(80)]
    return [*spaced, "", "   ", "x" * 5000, " " + "x" * 3000, "x" * 40 + " " * 4000]


@pytest.mark.parametrize("kind", ["bpe", "unigram", "char", "symbols"])
def test_numbers_are_those_of_the_ids_up_to_the_most_that_is_asked(kind: str, texts: list[str]) -> None:
    settings = SubwordSettings.model_validate({"model": kind, "vocabulary_size": 60})
    model = train_subword([" ".join(WORDS), "house of houses"], settings)
    expected = [len(ids) if text.strip() else 0 for text, ids in zip(texts, model.encode(texts), strict=True)]
    for most in (1, 30, 10_000):
        assert [min(count, most) for count in count_ids(model, texts, most)] == [min(count, most) for count in expected]


def test_long_texts_are_encoded_in_small_steps_and_not_to_their_end() -> None:
    model = Counting(train_subword([" ".join(WORDS)], SubwordSettings(model="char", vocabulary_size=60)).proto)
    assert all(count >= 100 for count in count_ids(model, ["house " * 3000] * 20, 100))
    assert model.characters < 20 * 700
    assert model.most_at_once <= id_counts.STEP_CHARACTERS


def test_the_reading_stops_between_two_steps() -> None:
    model = Counting(train_subword([" ".join(WORDS)], SubwordSettings(model="char", vocabulary_size=60)).proto)
    answers = iter([False, False, True])
    with pytest.raises(DecodingStopped):
        count_ids(model, ["x" * id_counts.STEP_CHARACTERS] * 9, 10_000, lambda: next(answers))
    assert model.characters == 2 * id_counts.STEP_CHARACTERS
