"""The trivial baseline of pictures: the target of the train picture that is nearest by its pixels.

Shapes: N train pictures, P values of a small picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.corpus.pairs import PICTURE_DIGEST, SOURCE, TARGET
from seq2seq_core.pictures.picture_file import MAX_PIXELS, read_picture

SIDE = 24
"""Height and width, in pixels, to which pictures are scaled for the comparison, whatever their proportions."""
MOST_PICTURES = 20_000
"""Most train pictures that are compared with, the first ones: a bound on time and memory."""


def nearest_picture(
    train: Iterable[Mapping[str, str]], pairs: Sequence[Mapping[str, str]], folder: Path, columns: Sequence[str] = ()
) -> list[str]:
    """For each picture the target of the nearest picture of train, by the sum of squared differences; the first among equals.

    Only train pairs with the same values in some columns count, such as the language that is asked for; empty where there is none.

    Args:
        train: the pairs of train; read once.
        pairs: those of the test set.
        folder: of the pictures.
        columns: the columns that must agree.

    Raises:
        PictureError: a picture cannot be used.
    """
    small: dict[str, NDArray[np.float32]] = {}
    known: dict[tuple[str, ...], dict[str, str]] = {}
    for pair in train:
        digest = pair[PICTURE_DIGEST]
        if digest not in small:
            if len(small) == MOST_PICTURES:
                continue
            small[digest] = _shrink(folder / pair[SOURCE])
        known.setdefault(_values(pair, columns), {}).setdefault(digest, pair[TARGET])
    digests = list(small)
    places = {digest: place for place, digest in enumerate(digests)}
    train_NP = np.stack(list(small.values())) if small else np.zeros((0, 3 * SIDE**2), dtype=np.float32)
    ranked: dict[str, list[int]] = {}
    found = []
    for pair in pairs:
        targets = known.get(_values(pair, columns), {})
        if pair[SOURCE] not in ranked:
            distances_N = ((train_NP - _shrink(folder / pair[SOURCE])) ** 2).sum(axis=1)
            ranked[pair[SOURCE]] = np.argsort(distances_N, kind="stable").tolist()
        allowed = {places[digest] for digest in targets}
        nearest = next((place for place in ranked[pair[SOURCE]] if place in allowed), None)
        found.append("" if nearest is None else targets[digests[nearest]])
    return found


def _values(pair: Mapping[str, str], columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(pair.get(column, "") for column in columns)


def _shrink(file: Path) -> NDArray[np.float32]:
    """The small picture on white paper, from 0 to 1: values_P."""
    from PIL import Image

    image = Image.fromarray(read_picture(file, MAX_PIXELS, takes_first=True).pixels_HWC)
    paper = Image.new("RGBA", image.size, "white")
    scaled = Image.alpha_composite(paper, image).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(scaled, dtype=np.float32).reshape(-1) / np.float32(255.0)
