"""``evaluate`` and ``register`` on the sample's test and on a part of it: metrics, baselines and records grow with its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from seq2seq_core.preflight.sample_graph import SMALL_SHARE, SampleGraph
from seq2seq_core.preflight.stage_forecasts import StageMeasure
from seq2seq_core.stage_table import WORKING_STAGES

JUDGING = ("evaluate", "register")


@dataclass(frozen=True)
class JudgingMeasure:
    """What the two stages cost, by stage; the rows of each measure are those of test.

    Attributes:
        all_rows: on the sample's test.
        few_rows: on a part of it; the same as ``all_rows`` where the whole test is no larger than the sample's.
        all_bytes: what they wrote beside their outputs, on the sample's test.
        few_bytes: the same on the part.
    """

    all_rows: dict[str, StageMeasure]
    few_rows: dict[str, StageMeasure]
    all_bytes: int
    few_bytes: int

    def grown_bytes(self, rows: int) -> float:
        """By how much more the two write beside their outputs with the whole test.

        Args:
            rows: of the whole test.
        """
        own, few = self.all_rows[JUDGING[0]].rows, self.few_rows[JUDGING[0]].rows
        return max(0, self.all_bytes - self.few_bytes) / (own - few) * max(0, rows - own) if own > few else 0.0


def measure_judging(graph: SampleGraph, folder: Path, sample_rows: int, rows: int) -> JudgingMeasure:
    """What the two stages cost in a workspace whose model is exported.

    Args:
        graph: the workspace.
        folder: of a copy that has only a part of test; is created where that is measured.
        sample_rows: rows of test in the sample.
        rows: rows of the whole test.

    Raises:
        UserError: a stage fails.
    """
    part = sample_rows // SMALL_SHARE
    if rows <= sample_rows or not part:
        measured = _run(graph, sample_rows)
        return JudgingMeasure(measured, measured, 0, 0)
    copied = graph.copied(folder, part)
    before = _size((graph, copied))
    measured = _run(graph, sample_rows)
    between = _size((graph, copied))
    few = _run(copied, part)
    # The copy's database may keep its records in the first workspace.
    return JudgingMeasure(measured, few, between - before, _size((graph, copied)) - between)


def _run(graph: SampleGraph, rows: int) -> dict[str, StageMeasure]:
    return {stage: replace(measure, rows=rows) for stage, measure in graph.run(JUDGING).items()}


def _size(graphs: tuple[SampleGraph, ...]) -> int:
    return sum(graph.size_beside([stage.name for stage in WORKING_STAGES]) for graph in graphs)
