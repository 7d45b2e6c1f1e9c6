"""The points of a training run's curves on disk, so that a killed and resumed run logs no step twice and loses none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple


class Point(NamedTuple):
    """What was logged at one moment."""

    step: int
    timestamp: int
    values: dict[str, float]


class CurveJournal:
    """An append-only file of points, one JSON object a line, and the last step of each metric in it.

    Args:
        path: the file; what it already holds counts as recorded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.marks: dict[str, int] = {}
        for point in self.read():
            self._raise_marks(point.step, point.values)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def read(self) -> Iterator[Point]:
        """The recorded points, oldest first; a last line that a kill cut short is left out."""
        if not self.path.is_file():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                yield Point(**json.loads(line))
            except (ValueError, TypeError):
                continue

    def append(self, step: int, timestamp: int, values: Mapping[str, float]) -> dict[str, float]:
        """The values that are new, written to the file; those of a step at or below a metric's last one are left out.

        Args:
            step: the training update.
            timestamp: milliseconds since 1970.
            values: by metric name.
        """
        new = {name: value for name, value in values.items() if step > self.marks.get(name, -1)}
        if new:
            # A newline in front parts the point from a line that a kill cut short; empty lines are skipped when reading.
            self._file.write("\n" + json.dumps(Point(step, timestamp, new)._asdict()) + "\n")
            self._file.flush()
            self._raise_marks(step, new)
        return new

    def skip(self, marks: Mapping[str, int]) -> None:
        """Counts steps as recorded that are stored elsewhere, should the file have lost them.

        Args:
            marks: the last step that is stored there, by metric name.
        """
        for name, step in marks.items():
            self._raise_marks(step, {name: 0.0})

    def after(self, marks: Mapping[str, int]) -> Iterator[Point]:
        """The points, reduced to the values beyond each metric's mark.

        Args:
            marks: the last step that is stored elsewhere, by metric name.
        """
        for point in self.read():
            values = {name: value for name, value in point.values.items() if point.step > marks.get(name, -1)}
            if values:
                yield point._replace(values=values)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _raise_marks(self, step: int, names: Mapping[str, float]) -> None:
        """Notes that these metrics are recorded up to a step."""
        for name in names:
            self.marks[name] = max(step, self.marks.get(name, -1))
