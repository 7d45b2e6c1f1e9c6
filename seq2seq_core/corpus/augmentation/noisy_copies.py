"""Adds copies of train pairs with noise in their sources to train, so that a model learns to read what users write."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from seq2seq_core.config.prepare import Augment, PrepareSection
from seq2seq_core.corpus.augmentation.hallucinated_stems import with_made_up_stem
from seq2seq_core.corpus.augmentation.source_noise import kinds_of_noise
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.normalization import digest, normalize_nearly
from seq2seq_core.corpus.pairs import SOURCE, TARGET, format_pair, iterate_pairs
from seq2seq_core.corpus.preparation.funnel import AUGMENTED, Funnel
from seq2seq_core.corpus.preparation.row_samples import RowSamples
from seq2seq_core.normal_form import is_blank

EVALUATION, STEMS = ("dev", "test"), "stems"


def add_noisy_copies(folder: Path, section: PrepareSection, funnel: Funnel, samples: RowSamples) -> None:
    """Adds the copies to ``train.jsonl``, behind all other pairs.

    Args:
        folder: of the prepared corpus.
        section: the kinds of noise, and the normal form that a noisy source is brought into.
        funnel: of train; receives the counts.
        samples: receives the pairs of which copies are added.
    """
    train, draft = folder / "train.jsonl", folder / ".augmented.jsonl"
    counts = funnel.augmented = dict.fromkeys(section.augment.kinds(), 0)
    protected = set[int]()
    if section.leakage != "keep":
        evaluated = (iterate_pairs(folder / f"{split}.jsonl") for split in EVALUATION)
        protected = {digest(normalize_nearly(pair[SOURCE])) for pairs in evaluated for pair in pairs}
    letters = sorted(_letters(train)) if section.augment.stems else []
    with draft.open("w", encoding="utf-8", newline="\n") as stream:
        for pair in iterate_pairs(train):
            for kind, source, target in _copies(pair[SOURCE], pair[TARGET], section, letters):
                if digest(normalize_nearly(source)) in protected:
                    continue
                stream.write(format_pair(pair | {SOURCE: source, TARGET: target}))
                funnel.count_written(source, target)
                counts[kind] += 1
                samples.add_changed("train", [f"{AUGMENTED}.{kind}"], Row(pair[SOURCE], pair[TARGET], {}, "", 0), source, target)
    with draft.open("rb") as copies, train.open("ab") as file:
        while block := copies.read(1 << 20):
            file.write(block)
    draft.unlink()


def _letters(train: Path) -> set[str]:
    """The letters of both sides of train."""
    pairs = iterate_pairs(train)
    return {symbol for pair in pairs for side in (SOURCE, TARGET) for symbol in set(pair[side]) if symbol.isalpha()}


def _copies(source: str, target: str, section: PrepareSection, letters: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """The copies of a pair, with their kinds."""
    for kind, noisy in _noisy_sources(source, target, section):
        yield kind, noisy, target
    for number in range(math.ceil(section.augment.stems)):
        drawn = digest(STEMS, str(section.augment.seed), str(number), source, target)
        if drawn / 2**64 < section.augment.stems - number:
            made = with_made_up_stem(source, target, letters, Random(drawn))
            if made is not None and made[0] != source:
                yield STEMS, section.apply(made[0]), section.apply(made[1])


def _noisy_sources(source: str, target: str, section: PrepareSection) -> Iterator[tuple[str, str]]:
    """The noisy forms of a source, with their kinds. They depend on the pair and the seed alone."""
    augment: Augment = section.augment
    noises = kinds_of_noise(augment.typo_rate)
    for kind, share in augment.kinds().items():
        if kind == STEMS:
            continue
        number = digest(kind, str(augment.seed), source, target)
        if number / 2**64 < share:
            noisy = section.apply(noises[kind](source, Random(number)))
            if noisy != source and not is_blank(noisy):
                yield kind, noisy
