"""Spoken digit strings: recordings of the Free Spoken Digit Dataset joined into strings of one to five digits.

Each string has one speaker, with short random pauses between the digits. Test strings use the 300 official test recordings
(index 0 to 4 of each digit and speaker), each at least once. Dev strings use index 5 to 7, train strings the rest. A fixed seed
decides strings and pauses.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.sound_file import read_recording, write_wav

SAMPLE_RATE, SEED, LONGEST = 8000, 1, 5
PAUSE_SECONDS = (0.05, 0.3)
INDICES = {"test": range(5), "dev": range(5, 8), "train": range(8, 50)}
STRINGS = {"test": 600, "dev": 360, "train": 6000}

Voices = dict[str, dict[str, list[NDArray[np.float32]]]]
"""Samples of the recordings, by speaker and digit."""


def read_digits(folder: Path) -> dict[str, Voices]:
    """Reads the recordings of each split, by speaker and digit.

    Args:
        folder: the folder of files such as ``7_jackson_32.wav`` (digit, speaker, index).
    """
    digits: dict[str, Voices] = {split: {} for split in INDICES}
    for path in sorted(folder.glob("*.wav")):
        digit, speaker, index = path.stem.split("_")
        split = next(split for split, indices in INDICES.items() if int(index) in indices)
        digits[split].setdefault(speaker, {}).setdefault(digit, []).append(read_recording(path, SAMPLE_RATE).samples_N)
    return digits


def draw_strings(digits: Voices, count: int, chance: random.Random) -> Iterator[tuple[str, str, list[NDArray[np.float32]]]]:
    """Draws strings as speaker, text and recordings; a speaker's recordings are all used once before any is used again.

    Args:
        digits: the recordings of a split.
        count: number of strings.
        chance: the random generator.
    """
    speakers = sorted(digits)
    waiting: dict[str, list[tuple[str, NDArray[np.float32]]]] = {speaker: [] for speaker in speakers}
    for number in range(count):
        speaker = speakers[number % len(speakers)]
        chosen = []
        for _ in range(chance.randint(1, LONGEST)):
            if not waiting[speaker]:
                own = [(digit, one) for digit in sorted(digits[speaker]) for one in digits[speaker][digit]]
                chance.shuffle(own)
                waiting[speaker] = own
            chosen.append(waiting[speaker].pop())
        yield speaker, " ".join(digit for digit, _ in chosen), [samples for _, samples in chosen]


def join(
    recordings: Sequence[NDArray[np.float32]], chance: random.Random, pauses: tuple[float, float] = PAUSE_SECONDS
) -> NDArray[np.float32]:
    """Joins recordings, with pauses of near silence before, between and after them.

    Args:
        recordings: the samples of each recording.
        chance: the random generator of the pauses.
        pauses: the shortest and the longest, in seconds.
    """
    noise = np.random.default_rng(chance.randrange(2**32))
    parts = []
    for recording in [*recordings, np.zeros(0, dtype=np.float32)]:
        pause = round(SAMPLE_RATE * chance.uniform(*pauses))
        parts += [noise.normal(scale=2e-4, size=pause).astype(np.float32), recording]
    return np.concatenate(parts)


def build_corpus(corpora: Path, folder: Path) -> None:
    """Writes ``{train,dev,test}.tsv`` and a folder of WAV files for each split, unless they exist.

    Args:
        corpora: the folder of all corpora; reads ``fsdd/recordings``.
        folder: the output folder, which must exist and is replaced.
    """
    if (folder / "test.tsv").exists():
        return
    digits = read_digits(corpora / "fsdd" / "recordings")
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for split, own in digits.items():
        chance = random.Random(f"{SEED} {split}")
        (draft / split).mkdir(parents=True)
        with (draft / f"{split}.tsv").open("w", encoding="utf-8", newline="\n") as table:
            table.write("source\ttarget\tspeaker\tdigits\n")
            for number, (speaker, text, recordings) in enumerate(draw_strings(own, STRINGS[split], chance)):
                name = f"{split}/{number:05}.wav"
                write_wav(draft / name, join(recordings, chance), SAMPLE_RATE)
                table.write(f"{name}\t{text}\t{speaker}\t{len(recordings)}\n")
    draft.replace(folder)
