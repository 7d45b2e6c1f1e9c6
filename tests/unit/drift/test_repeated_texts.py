from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest

from seq2seq_core.drift.repeated_texts import KeySample, cluster_size, repeated_share


def spectrum_of(texts: list[int]) -> dict[int, int]:
    return dict(Counter(Counter(texts).values()))


def test_a_part_of_a_corpus_repeats_as_much_as_the_whole_says_of_it() -> None:
    chance = Random(1)
    texts = [int(chance.expovariate(0.002)) for _ in range(4000)]
    spectrum = spectrum_of(texts)
    assert repeated_share(spectrum) == pytest.approx(1 - len(set(texts)) / len(texts))
    measured = [1 - len(set(chance.sample(texts, 1000))) / 1000 for _ in range(50)]
    assert repeated_share(spectrum, 0.25) == pytest.approx(sum(measured) / 50, abs=0.01)
    assert repeated_share(spectrum, 0.25) < repeated_share(spectrum) - 0.1


def test_a_bounded_sample_of_keys_repeats_as_all_of_them_do_in_any_order() -> None:
    random = np.random.default_rng(3)
    texts = random.integers(0, 1 << 32, 30_000, dtype=np.uint64).astype(np.uint32)
    keys = np.concatenate([texts, texts[:6000], texts[:2000]])
    samples = []
    for order in (np.arange(len(keys)), random.permutation(len(keys))):
        sample = KeySample(max_keys=5000)
        for chunk in np.array_split(keys[order], 9):
            sample.add(chunk)
        samples.append(sample.spectrum())
    assert samples[0] == samples[1]
    assert sum(times * texts for times, texts in samples[0].items()) <= 5000
    assert repeated_share(samples[0]) == pytest.approx(8000 / 38_000, abs=0.03)
    assert cluster_size({1: 90, 2: 4, 6: 2}) == pytest.approx((4 * 4 + 36 * 2) / 20)
    assert (cluster_size({1: 9}), repeated_share({})) == (1.0, 0.0)
