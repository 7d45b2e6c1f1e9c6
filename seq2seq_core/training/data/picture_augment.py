"""Pictures of train that are changed anew in each update: size, slant, place, contrast and noise (Simard 2003, section 2).

Shapes: S frames, F values of a frame, C channels, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from seq2seq_core.batching.batch import Batch, collate_sources
from seq2seq_core.config.frames.picture_settings import ImageSettings, PictureAugment
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.data.pair_reader import PairReader


@dataclass(frozen=True)
class PictureChange:
    """A change of a picture, as drawn.

    Attributes:
        scale: factors of height and width.
        shift: downwards and to the right, as shares of height and width.
        slant: pixels to the right for a pixel upwards.
        contrast: factor of the distance from middle grey.
        noise: standard deviation of the noise on each value.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)
    slant: float = 0.0
    contrast: float = 1.0
    noise: float = 0.0


class ChangedPictures:
    """Pairs whose pictures are changed anew in each update; a line may get longer or shorter.

    Args:
        pairs: reader of the batches without changes.
        settings: the largest changes.
        image: how the frames were made.
    """

    def __init__(self, pairs: PairReader, settings: PictureAugment, image: ImageSettings) -> None:
        self.pairs, self.settings, self.image = pairs, settings, image

    def read(self, indices: NDArray[np.int64], seed: int) -> Batch:
        """See :class:`~seq2seq_core.training.data.pair_reader.PairReader`."""
        batch = self.pairs.read(indices, seed)
        rows: list[NDArray[Any]] = []
        for place, (index, length) in enumerate(zip(indices.tolist(), batch.source.lengths_B.tolist(), strict=True)):
            chance = np.random.default_rng(derive_seed(seed, "picture_augment", index))
            rows.append(self.change(batch.source.values[place, :length].numpy(), chance))
        return replace(batch, source=collate_sources(rows))

    def change(self, frames_SF: NDArray[np.float32], chance: np.random.Generator) -> NDArray[np.float32]:
        """The frames of a changed picture.

        Args:
            frames_SF: those of the picture, from 0 to 1.
            chance: the random stream.
        """
        is_line = self.image.layout == "columns"
        drawn = draw_change(chance, self.settings, is_line)
        picture_CHW = _as_picture(frames_SF, self.image)
        changed_CHW = move_picture(torch.from_numpy(np.ascontiguousarray(picture_CHW)), drawn, keeps_width=not is_line).numpy()
        changed_CHW = (changed_CHW - 0.5) * drawn.contrast + 0.5 if drawn.contrast != 1.0 else changed_CHW
        if drawn.noise:
            changed_CHW = changed_CHW + drawn.noise * chance.standard_normal(changed_CHW.shape, dtype=np.float32)
        return _as_frames(np.clip(changed_CHW, 0.0, 1.0).astype(np.float32), self.image)


def draw_change(chance: np.random.Generator, settings: PictureAugment, is_line: bool) -> PictureChange:
    """A change within the largest ones; every number is drawn, so that a setting changes no other draw.

    Args:
        chance: the random stream.
        settings: the largest changes.
        is_line: whether the picture is a line, which is not shifted sideways.
    """
    high, wide, down, right, slant, contrast = chance.uniform(-1.0, 1.0, size=6).tolist()
    return PictureChange(
        scale=(1.0 + settings.scale * high, 1.0 + settings.scale * wide),
        shift=(settings.shift * down, 0.0 if is_line else settings.shift * right),
        slant=settings.slant * slant,
        contrast=1.0 + settings.contrast * contrast,
        noise=settings.noise * float(chance.uniform()),
    )


def move_picture(picture_CHW: Tensor, change: PictureChange, keeps_width: bool) -> Tensor:
    """The picture, scaled and slanted about its middle and shifted, by bilinear interpolation; white comes in from outside.

    Args:
        picture_CHW: from 0 (white) to 1.
        change: contrast and noise are not applied.
        keeps_width: whether the result is as wide; else its width is scaled too, and nothing is lost at its ends.
    """
    (high, wide), (down, right) = change.scale, change.shift
    if (high, wide, down, right, change.slant) == (1.0, 1.0, 0.0, 0.0, 0.0):
        return picture_CHW
    _, height, width = picture_CHW.shape
    room = width if keeps_width else max(1, round(width * wide) + round(abs(change.slant) * height))
    # The place in the picture, from -1 to 1, of each place of the result: x = (x' room / width - slant (H / W) y') / wide, ...
    theta = torch.tensor(
        [
            [room / width / wide, change.slant * height / width / wide, -2.0 * right / wide],
            [0.0, 1.0 / high, -2.0 * down / high],
        ]
    )
    grid = functional.affine_grid(theta.unsqueeze(0), [1, picture_CHW.size(0), height, room], align_corners=False)
    moved: Tensor = functional.grid_sample(picture_CHW.unsqueeze(0), grid, mode="bilinear", align_corners=False)
    return moved.squeeze(0)


def _as_picture(frames_SF: NDArray[np.float32], image: ImageSettings) -> NDArray[np.float32]:
    """The picture_CHW of frames."""
    if image.layout == "columns":
        return frames_SF.reshape(-1, image.height).T[None]
    rows, columns = image.grid
    patches = frames_SF.reshape(rows, columns, image.patch, image.patch, image.channels)
    return patches.transpose(4, 0, 2, 1, 3).reshape(image.channels, image.height, image.grid_width)


def _as_frames(picture_CHW: NDArray[np.float32], image: ImageSettings) -> NDArray[np.float32]:
    """The frames_SF of a picture; a line is padded by white to whole frames."""
    if image.layout == "columns":
        padded_HW = np.pad(picture_CHW[0], ((0, 0), (0, -picture_CHW.shape[2] % image.columns)))
        return np.ascontiguousarray(padded_HW.T).reshape(-1, image.frame_width)
    rows, columns = image.grid
    cut: NDArray[np.float32] = picture_CHW.reshape(image.channels, rows, image.patch, columns, image.patch).transpose(1, 3, 2, 4, 0)
    return np.ascontiguousarray(cut).reshape(rows * columns, image.frame_width)
