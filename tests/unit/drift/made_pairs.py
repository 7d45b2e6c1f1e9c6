"""Pairs of made words, long and short, that differ between seeds only by chance."""

from __future__ import annotations

from random import Random

from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.drift.corpus_profile import Profile
from seq2seq_core.drift.profiling import CorpusProfiler
from seq2seq_core.tokenization.subword import SubwordModel, train_subword

Pair = tuple[str, str]
WORDS = [f"{first}{middle}{last}" for first in "bdgkmnprst" for middle in "aeiou" for last in ("", "l", "nd")]


def make_pairs(rows: int, seed: int) -> list[Pair]:
    """Sources of some words, the first one with a capital, and targets of the same words reversed."""
    chance = Random(seed)
    drawn = [chance.choices(WORDS, k=chance.randint(3, 12)) for _ in range(rows)]
    return [(" ".join(words).capitalize(), " ".join(words[::-1]).capitalize()) for words in drawn]


def train_model() -> SubwordModel:
    """A subword model of characters."""
    return train_subword([source for source, _ in make_pairs(200, 0)], SubwordSettings(model="char", vocabulary_size=64))


def make_profile(pairs: list[Pair], model: SubwordModel | None = None, has_chance: bool = True, chunk: int = 100) -> Profile:
    """The profile of some pairs, which come in chunks."""
    profiler = CorpusProfiler(len(pairs), has_chance=has_chance)
    for start in range(0, len(pairs), chunk):
        profiler.add([source for source, _ in pairs[start : start + chunk]], [target for _, target in pairs[start : start + chunk]])
    return profiler.profile(model, model)
