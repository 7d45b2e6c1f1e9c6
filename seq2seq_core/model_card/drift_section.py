"""The drift of a corpus, as a section of the card and as pages of its own."""

from __future__ import annotations

from seq2seq_core.drift.drift_report import DriftReport, MeasureDrift
from seq2seq_core.model_card.blocks import Block, Bullets, Page, Picture, Section, Table, Text, Tone
from seq2seq_core.model_card.charts import figure_chart, round_up, share_chart
from seq2seq_core.model_card.facts import Figure
from seq2seq_core.model_card.html_page import to_html
from seq2seq_core.model_card.markdown_page import to_markdown

DRIFT_HTML, DRIFT_MARKDOWN, DRIFT_JSON = "drift.html", "drift.md", "drift.json"
MOST_PICTURES = 4


def drift_section(report: DriftReport | None) -> Section:
    """The section of a card: the result, and the figures of each measure.

    Args:
        report: None: nothing was compared.
    """
    return Section("Drift of the corpus", [] if report is None else _blocks(report, MOST_PICTURES))


def render_drift(report: DriftReport) -> dict[str, str]:
    """The report's files, by name.

    Args:
        report: of two corpora.
    """
    page = Page(f"Drift: {report.new} against {report.old}", _blocks(report, len(report.measures)))
    return {
        DRIFT_HTML: to_html(page),
        DRIFT_MARKDOWN: to_markdown(page),
        DRIFT_JSON: report.model_dump_json(indent=1) + "\n",
    }


def _blocks(report: DriftReport, pictures: int) -> list[Block]:
    tone: Tone = "note" if report.trouble else "bad" if report.alarms else "good"
    sentence = report.sentence()
    blocks: list[Block] = [Text(f"{sentence[0].upper()}{sentence[1:]}.", tone)]
    if not report.measures:
        return blocks
    blocks.append(
        Text(
            f"{report.rows[0]:,} rows were compared with {report.rows[1]:,}. An effect is 0 where both are the same and 1 where "
            f"they have nothing in common. It is an alarm above its limit: what chance exceeds in no measure with "
            f"{1 - report.alpha:.0%} certainty, and at least {report.minimal_effect:g}."
        )
    )
    rows = [[one.name, f"{one.effect:.3f}", f"{one.threshold:.3f}", "drift" if one.is_alarm else ""] for one in report.measures]
    blocks.append(Table(["measure", "effect", "limit", ""], rows, frozenset((1, 2))))
    figures = {one.name: Figure(value=one.effect) for one in report.measures}
    notes = {one.name: f" of {one.threshold:.2f}" for one in report.measures}
    blocks.append(
        Picture(
            figure_chart(figures, 0.0, _top(report), report.minimal_effect, bars=True, notes=notes),
            "The effect of each measure; the line is the minimal effect.",
        )
    )
    for one in report.alarms[:pictures]:
        blocks += [Picture(_shares(one), f"{one.name}: shares in {report.old} (above) and {report.new} (below)."), _table(one)]
    return [*blocks, *([Bullets(report.notes)] if report.notes else [])]


def _top(report: DriftReport) -> float:
    greatest = max(2.0 * report.minimal_effect, *(one.effect for one in report.measures))
    return round_up(greatest)


def _shares(one: MeasureDrift) -> str:
    return share_chart({part.label: (part.old, part.new) for part in one.bins})


def _table(one: MeasureDrift) -> Table:
    rows = [[part.label, f"{part.old:.2%}", f"{part.new:.2%}"] for part in one.bins]
    return Table([one.name, "before", "now"], rows, frozenset((1, 2)))
