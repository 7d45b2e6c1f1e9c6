"""A corpus that "speaks" digits as tones: a pitch for each digit, an octave for each speaker. The same bytes at each call."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.sound_file import write_wav

RATE = 4000
DIGITS = "0123"
SPEAKERS = {"low": 1.0, "high": 2.0}


def pitch_of(digit: str, speaker: str) -> float:
    """The pitch of a digit, in hertz."""
    return 200.0 * 1.5 ** DIGITS.index(digit) * SPEAKERS[speaker]


def tones(text: str, speaker: str) -> NDArray[np.float32]:
    """The samples of a text: 60 ms for each digit, with soft ends, and 15 ms of silence between them."""
    places = np.arange(RATE * 60 // 1000) / RATE
    shape = np.minimum(1.0, 10.0 * np.minimum(places, places[::-1]) / places[-1])
    parts = []
    for digit in text.replace(" ", ""):
        pitch = pitch_of(digit, speaker)
        parts += [0.4 * shape * np.sin(2 * np.pi * pitch * places), np.zeros(RATE * 15 // 1000)]
    samples: NDArray[np.float32] = np.concatenate(parts[:-1]).astype(np.float32)
    return samples


def write_tones(folder: Path, **rows: int) -> None:
    """Writes a corpus: ``{split}.tsv`` with the columns source, target and speaker, and the recordings beside them.

    Args:
        folder: of the corpus.
        rows: rows of each split; no two have the same recording.
    """
    chance, seen = Random(3), set[tuple[str, str]]()
    for split, number in rows.items():
        lines = ["source\ttarget\tspeaker\n"]
        while len(lines) <= number:
            text = " ".join(chance.choice(DIGITS) for _ in range(chance.randint(2, 4)))
            speaker = chance.choice(sorted(SPEAKERS))
            if (text, speaker) in seen:
                continue
            seen.add((text, speaker))
            name = f"{split}_{len(lines)}.wav"
            folder.mkdir(parents=True, exist_ok=True)
            write_wav(folder / name, tones(text, speaker), RATE)
            lines.append(f"{text}\t{name}\t{speaker}\n")
        (folder / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
