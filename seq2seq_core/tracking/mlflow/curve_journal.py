"""The points of a run's curves on disk, so that a killed and resumed run logs every step exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple


class Point(NamedTuple):
    """The metrics of one step."""

    step: int
    timestamp: int
    values: dict[str, float]


class CurveJournal:
    """An append-only file of points, one JSON object a line, and the last step of each metric in it.

    Args:
        path: the JSONL file; the points that it already holds count as recorded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.marks: dict[str, int] = {}
        for point in self.read():
            self._raise_marks(point.step, point.values)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def read(self) -> Iterator[Point]:
        """The recorded points, oldest first; lines that a kill cut short are left out."""
        if not self.path.is_file():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                yield Point(**json.loads(line))
            except (ValueError, TypeError):
                continue

    def append(self, step: int, timestamp: int, values: Mapping[str, float]) -> dict[str, float]:
        """Writes the new values to the file and returns them; values at or below a metric's last step are left out.

        Args:
            step: number of the update.
            timestamp: milliseconds since 1970.
            values: by metric name.
        """
        new = {name: value for name, value in values.items() if step > self.marks.get(name, -1)}
        if new:
            # The newline in front separates the point from a line that a kill cut short; reading skips empty lines.
            self._file.write("\n" + json.dumps(Point(step, timestamp, new)._asdict()) + "\n")
            self._file.flush()
            self._raise_marks(step, new)
        return new

    def skip(self, marks: Mapping[str, int]) -> None:
        """Counts steps that MLflow has as recorded, in case the file has lost them.

        Args:
            marks: the last step in MLflow, by metric name.
        """
        for name, step in marks.items():
            self._raise_marks(step, {name: 0.0})

    def after(self, marks: Mapping[str, int]) -> Iterator[Point]:
        """The points with only the values after each metric's mark.

        Args:
            marks: the last step in MLflow, by metric name.
        """
        for point in self.read():
            values = {name: value for name, value in point.values.items() if point.step > marks.get(name, -1)}
            if values:
                yield point._replace(values=values)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _raise_marks(self, step: int, names: Mapping[str, float]) -> None:
        """Marks these metrics as recorded up to a step."""
        for name in names:
            self.marks[name] = max(step, self.marks.get(name, -1))
