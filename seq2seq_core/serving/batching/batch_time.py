"""How long batches take: a line fitted to the last ones, seconds = slope · work + base, and the gaps between requests."""

from __future__ import annotations

MEMORY = 0.9
"""The weight of what was known when a batch is added: about the last ten batches count."""
GAP_MEMORY, SHORTEST_GAP, LONGEST_GAP = 0.8, 1e-4, 1.0
"""The same for gaps between requests; a longer pause says nothing of the traffic, and a shorter one costs nothing."""
GROWTH = 2.0
"""A batch is at most this many times as large as the largest of which the time is known."""
FIRST_WORK = 1024
"""Work of which nothing need be known."""


class BatchTime:
    """Predicts the time of a batch from the last ones (a weighted least-squares line)."""

    def __init__(self) -> None:
        self._weight = self._work = self._seconds = self._work_squared = self._product = 0.0
        self._largest = float(FIRST_WORK)
        self.gap = LONGEST_GAP
        """Seconds between two requests, the geometric mean.

        Clients who wait for their answers come back together when a batch ends. The arithmetic mean would be that of the batches'
        times, and hide that within such a burst the next request is a moment away.
        """
        self._last_arrival = 0.0

    def add(self, work: int, seconds: float) -> None:
        """Learns from a batch.

        Args:
            work: its work.
            seconds: the time it took.
        """
        self._weight = MEMORY * self._weight + 1.0
        self._work = MEMORY * self._work + work
        self._seconds = MEMORY * self._seconds + seconds
        self._work_squared = MEMORY * self._work_squared + work * work
        self._product = MEMORY * self._product + work * seconds
        self._largest = max(self._largest * 0.999, float(work), FIRST_WORK)

    def add_arrival(self, now: float) -> None:
        """Learns that a request has come.

        Args:
            now: by the monotonic clock.
        """
        gap = min(LONGEST_GAP, max(SHORTEST_GAP, now - self._last_arrival))
        self._last_arrival = now
        self.gap = self.gap**GAP_MEMORY * gap ** (1 - GAP_MEMORY)

    @property
    def slope(self) -> float:
        """Seconds that a unit of work adds."""
        spread = self._weight * self._work_squared - self._work * self._work
        if spread <= 1e-9 * max(1.0, self._work_squared):
            return 0.0
        return max(0.0, (self._weight * self._product - self._work * self._seconds) / spread)

    @property
    def base(self) -> float:
        """Seconds of a batch however small it is."""
        return max(0.0, (self._seconds - self.slope * self._work) / self._weight) if self._weight else 0.0

    def seconds(self, work: int) -> float:
        """The time that some work takes; 0 for none.

        Args:
            work: the work.
        """
        return self.base + self.slope * work if work else 0.0

    def most_work(self, seconds: float) -> float:
        """The most work that a batch may have to take no longer than some time, and to be no leap into the unknown.

        Args:
            seconds: the time.
        """
        known, slope = GROWTH * self._largest, self.slope
        return min(known, max(0.0, seconds - self.base) / slope) if slope else known

    def pause(self, num_rows: int, work_per_row: float, waited: float) -> float:
        """Seconds for which it pays to wait for another request before a batch is decoded; 0: decode now.

        Another row costs each of those that wait one gap, and saves the time of a batch of its own, which all would share.

        Args:
            num_rows: rows of the batch so far.
            work_per_row: its work per row.
            waited: how long this batch has been waiting so.
        """
        left = self.base - waited
        if left <= 0 or num_rows * (self.gap - self.slope * work_per_row) >= self.base:
            return 0.0
        return min(2 * self.gap, left)
