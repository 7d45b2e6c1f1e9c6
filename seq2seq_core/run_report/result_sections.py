"""The sections of the report about the model: scores, the worst parts of the test set, and the ends of the stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2seq_core.config.metric_names import DISTORTION, list_metrics
from seq2seq_core.console import format_seconds
from seq2seq_core.corpus.file_faults.text_faults import quote
from seq2seq_core.corpus.leakage.split_note import split_note
from seq2seq_core.evaluation.error_terms import terms_of
from seq2seq_core.evaluation.scores import find_metric
from seq2seq_core.json_text import shorten
from seq2seq_core.model_card.blocks import Block, Link, Picture, Section, Table, Text
from seq2seq_core.model_card.charts import figure_chart
from seq2seq_core.model_card.facts import Figure
from seq2seq_core.run_report.run_facts import RunFacts
from seq2seq_core.run_report.stage_end import StageEnd

MOST_PARTS, NAME_CHARACTERS, MESSAGE_CHARACTERS, WHY_CHARACTERS, TEXT_CHARACTERS = 12, 60, 4000, 300, 200
SYSTEMS = {"test": "this model", "greedy": "this model, greedy"}


def stages_section(facts: RunFacts) -> Section:
    """How the last execution of each stage ended.

    Args:
        facts: of the run.
    """
    has_forecasts = any(end.forecast for end in facts.ends)
    rows = [
        [
            end.stage, end.word, end.moment, _took(end), *([end.forecast] if has_forecasts else []),
            shorten("; ".join(end.why), WHY_CHARACTERS),
        ]
        for end in facts.ends
    ]  # fmt: skip
    heads = ["stage", "", "ended", "took", *(["forecast"] if has_forecasts else []), "why it ran"]
    note = "Last executions in this workspace. A stage that is up to date does not run again."
    return Section("Stages", [Table(heads, rows), Text(note, "note")])


def _took(end: StageEnd) -> str:
    return format_seconds(end.seconds) if end.seconds else ""


def scores_section(facts: RunFacts) -> Section:
    """The test scores beside the baselines', and the decision.

    Args:
        facts: of the run.
    """
    systems = {label: _figures(facts.scores.get(name)) for name, label in SYSTEMS.items()}
    baselines = facts.scores.get("baselines")
    for name, own in baselines.items() if isinstance(baselines, dict) else ():
        systems[f"baseline: {name.replace('_', ' ')}"] = _figures(own)
    systems["champion"] = _figures(facts.receipt.get("champion_scores"))
    systems = {label: own for label, own in systems.items() if own}
    metrics = [name for name in dict.fromkeys(name for own in systems.values() for name in own) if name in list_metrics()]
    if not metrics:
        return Section("Test scores", [])
    heads = [f"{name} {'↑' if find_metric(name).higher_is_better else '↓'}" for name in metrics]
    if (terms := terms_of(facts.scores)) is not None:
        systems = {label: {**own, **terms.rates(own)} for label, own in systems.items()}
        metrics, heads = [*metrics, *terms.names], [*heads, *(f"{name.replace('_', ' ')} ↓" for name in terms.names)]
    rows = [[label, *(f"{own[name]:.4g}" if name in own else "" for name in metrics)] for label, own in systems.items()]
    blocks: list[Block] = [Table(["", *heads], rows, frozenset(range(1, len(metrics) + 1)))]
    blocks.append(Text("↑: higher is better, ↓: lower is better.", "note"))
    if note := split_note(facts.funnels):
        blocks.append(Text(note, "note"))
    return Section("Test scores", [*blocks, *_card(facts)])


def _card(facts: RunFacts) -> list[Block]:
    """Where the model card is."""
    model, version = (str(facts.receipt.get(name, "")) for name in ("model_name", "version"))
    if not model or not version or facts.is_earlier("register"):
        return []
    registry = str(facts.receipt.get("registry", "")).rstrip("/")
    label = f"Model card of {model}, version {version}"
    if registry.startswith(("http://", "https://")):
        return [Link(label, f"{registry}/#/models/{model}/versions/{version}")]
    return [Text(f"{label}: `s2s ui` shows it on the version's page in MLflow.", "note")]


def parts_section(facts: RunFacts) -> Section:
    """The parts of the test set with the worst scores: languages, tags and other columns first, then lengths.

    Args:
        facts: of the run.
    """
    metric, columns = _main_metric(facts), facts.scores.get("slices")
    if not metric or not isinstance(columns, dict):
        return Section("Worst parts of the test set", [])
    found = [
        (column.endswith("_characters"), f"{column.replace('_', ' ')} {value}", float(own[metric]), int(own.get("count", 0)))
        for column, values in columns.items()
        for value, own in values.items()
        if metric in own
    ]
    sign = 1.0 if find_metric(metric).higher_is_better else -1.0
    shown = sorted(found, key=lambda one: (one[0], sign * one[2]))[:MOST_PARTS]
    if not shown:
        return Section("Worst parts of the test set", [])
    scores = {shorten(name, NAME_CHARACTERS): Figure(value=score) for _, name, score, _ in shown}
    counts = {shorten(name, NAME_CHARACTERS): f" of {count}" for _, name, _, count in shown}
    overall = _figures(facts.scores.get("test")).get(metric)
    scale, values = find_metric(metric), [one[2] for one in shown]
    high = max([scale.scale if scale.high is None else scale.high, *values])
    rows = [[shorten(name, NAME_CHARACTERS), f"{count:,}", f"{score:.4g}"] for _, name, score, count in shown]
    return Section(
        "Worst parts of the test set",
        [
            Picture(
                figure_chart(scores, scale.low, high, overall, bars=True, notes=counts),
                f"{metric} by part, the worst first, and the number of rows. Dashed: the whole test set.",
            ),
            Table(["part", "rows", metric], rows, frozenset((1, 2))),
        ],
    )


def answers_section(facts: RunFacts) -> Section:
    """What the model answered worst, beside the sources and references.

    Args:
        facts: of the run.
    """
    if not facts.worst or DISTORTION in _figures(facts.scores.get("test")):  # then an answer is a number, not a text
        return Section("Worst answers", [])
    rows = [
        [row["row"], *(quote(row[name], width=TEXT_CHARACTERS) for name in ("source", "reference", "hypothesis")), row["edits"]]
        for row in facts.worst
    ]
    note = "Most edits for a character of the reference first. reports/evaluation/predictions.jsonl has all answers of test."
    return Section("Worst answers", [Table(["row", "source", "reference", "answer", "edits"], rows), Text(note, "note")])


def _main_metric(facts: RunFacts) -> str:
    """The metric of the decision, or the first one; empty: nothing is scored.

    Args:
        facts: of the run.
    """
    scored = [name for name in _figures(facts.scores.get("test")) if name in list_metrics()]
    wanted = facts.receipt.get("metric")
    return wanted if isinstance(wanted, str) and wanted in scored else next(iter(scored), "")


def _figures(own: Any) -> Mapping[str, float]:
    if not isinstance(own, dict):
        return {}
    return {str(name): float(value) for name, value in own.items() if isinstance(value, int | float)}


def lead_blocks(facts: RunFacts) -> list[Block]:
    """What became of the run, in a sentence: what a reader wants to know first.

    Args:
        facts: of the run.
    """
    failure, receipt = facts.failure, facts.receipt
    if failure is not None:
        first, _, rest = shorten(failure.message, MESSAGE_CHARACTERS).partition("\n")
        lead: list[Block] = [Text(f"{failure.stage} {failure.word}{f': {first}' if first else ''}", "bad")]
        return [*lead, *([Text(rest, "note")] if rest.strip() else [])]
    if receipt:
        decision = f"{receipt.get('model_name')} version {receipt.get('version')} is {receipt.get('decision')}"
        return [Text(f"{decision}: {receipt.get('reason')}", "good" if receipt.get("decision") == "champion" else "plain")]
    return []
