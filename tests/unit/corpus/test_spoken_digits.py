"""The strings of spoken digits that the benchmark is about. Their recordings are no part of the repository."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest

from benchmarks.measured import digit_strings

CORPORA = Path(os.environ.get("SEQ2SEQ_CORPORA", Path(__file__).resolve().parents[4] / "shared" / "corpora"))


@pytest.mark.skipif(
    not (CORPORA / "fsdd").is_dir(), reason=f"the spoken digits are not at {CORPORA} (set SEQ2SEQ_CORPORA to their folder)"
)
def test_test_strings_use_every_official_test_recording_and_no_other() -> None:
    digits = digit_strings.read_digits(CORPORA / "fsdd" / "recordings")
    sizes = {split: sum(len(some) for voice in voices.values() for some in voice.values()) for split, voices in digits.items()}
    assert sizes == {"train": 2520, "dev": 180, "test": 300}
    official = {id(samples): digit for voice in digits["test"].values() for digit, some in voice.items() for samples in some}
    strings = list(digit_strings.draw_strings(digits["test"], digit_strings.STRINGS["test"], random.Random(1)))
    used = [(text.split(), [id(samples) for samples in recordings]) for _, text, recordings in strings]
    assert {place for _, places in used for place in places} == official.keys()
    assert all([official[place] for place in places] == text for text, places in used)
    assert {len(text) for text, _ in used} == {1, 2, 3, 4, 5}
    voices = {id(samples): name for name, voice in digits["test"].items() for some in voice.values() for samples in some}
    assert all({voices[id(samples)] for samples in recordings} == {speaker} for speaker, _, recordings in strings)
    assert {speaker for speaker, _, _ in strings} == set(digits["test"])


def test_joined_recordings_have_pauses_around_them() -> None:
    parts = [np.full(800, 0.5, dtype="float32")] * 2
    joined = digit_strings.join(parts, random.Random(1))
    pauses = [3 * seconds * digit_strings.SAMPLE_RATE for seconds in digit_strings.PAUSE_SECONDS]
    assert pauses[0] <= len(joined) - 1600 <= pauses[1]
    assert (joined == 0.5).sum() == 1600
    assert abs(joined[joined != 0.5]).max() < 0.01
