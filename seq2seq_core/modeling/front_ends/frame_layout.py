"""What the values of a frame are: columns of a picture (or of a spectrogram), or a square of a grid."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FrameLayout:
    """The picture that the frames of a source form.

    Attributes:
        height: values of a column; of a grid, pixels of a patch's side.
        columns: neighbouring columns in a frame; of a grid, pixels of a patch's side.
        channels: values of a pixel.
        grid: rows and columns of patches, in reading order; None: frames are columns, from left to right, as many as there are.
    """

    height: int
    columns: int = 1
    channels: int = 1
    grid: tuple[int, int] | None = None

    @property
    def frame_width(self) -> int:
        """Values of a frame."""
        return self.height * self.columns * self.channels

    def reduced_grid(self, halvings: int) -> tuple[int, int]:
        """Rows and columns of what convolutions make of a grid.

        Args:
            halvings: how often they halve height and width.
        """
        assert self.grid is not None, "asked of grids alone"
        rows, columns = self.grid
        return _halve(rows * self.height, halvings), _halve(columns * self.columns, halvings)

    def steps(self, num_frames: int, halvings: int) -> int:
        """The number of vectors that convolutions make of a source.

        Args:
            num_frames: frames of the source.
            halvings: how often they halve the width; of a grid, height and width.
        """
        if self.grid is not None:
            rows, columns = self.reduced_grid(halvings)
            return rows * columns
        return _halve(num_frames * self.columns, halvings)


def _halve(size: int, times: int) -> int:
    """A size halved some times, rounded up."""
    for _ in range(times):
        size = -(-size // 2)
    return size
