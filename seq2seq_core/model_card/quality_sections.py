"""The sections of a card about how good the version is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from seq2seq_core.evaluation.metric import Metric
from seq2seq_core.evaluation.scores import find_metric
from seq2seq_core.model_card.blocks import Block, Bullets, Pairs, Picture, Section, Table, Text
from seq2seq_core.model_card.charts import figure_chart, reliability_chart
from seq2seq_core.model_card.facts import Answers, Calibration, Decision, Figure, SliceScore, Standing

FIFTHS = ("least certain", "second fifth", "middle", "fourth fifth", "most certain")
MAX_CHANGED = 10


def decision_lead(decision: Decision, standing: Standing | None) -> list[Block]:
    """What the version is now and the decision in short: what a reader wants to know first.

    Args:
        decision: the decision by the gate.
        standing: what the ledger says of the version; None: nothing more.
    """
    own = next(iter(decision.figures.values()), {})
    scores = {metric.replace("_", " "): _figure(figure) for metric, figure in own.items()}
    tone: Literal["good", "bad"] = "good" if decision.verdict == "champion" else "bad"
    lead: list[Block] = [Text(f"{decision.verdict.capitalize()}. {decision.reason}", tone)]
    if standing is not None and standing.text:
        tone = "good" if standing.word == "champion" else "bad"
        lead = [Text(standing.text, tone), Text(f"The last decision by the gate: {decision.verdict}. {decision.reason}", "note")]
    return [*lead, *([Pairs(scores)] if scores else [])]


def metrics_section(decision: Decision) -> Section:
    """The scores of all systems, with intervals.

    Args:
        decision: the decision.
    """
    systems = list(decision.figures)
    metrics = list(dict.fromkeys(metric for own in decision.figures.values() for metric in own))
    if not metrics:
        return Section("Scores", [])
    rows = [
        [
            f"{metric} {'↑' if find_metric(metric).higher_is_better else '↓'}",
            *(_figure(decision.figures[name].get(metric)) for name in systems),
        ]
        for metric in metrics
    ]
    note = f"On {decision.rows} test rows, with 95 % intervals of the bootstrap. ↑: higher is better, ↓: lower is better."
    blocks: list[Block] = [Table(["", *systems], rows, frozenset(range(1, len(systems) + 1))), Text(note, "note")]
    main = {name: own[decision.metric] for name, own in decision.figures.items() if decision.metric in own}
    if main:
        low, high = _scale(find_metric(decision.metric), list(main.values()))
        blocks.append(Picture(figure_chart(main, low, high), f"{decision.metric} of this version and the others, with intervals."))
    return Section("Scores", blocks)


def significance_section(decision: Decision) -> Section:
    """The comparison with the champion, and the life of the test set.

    Args:
        decision: the decision.
    """
    blocks: list[Block] = [_comparison(decision)]
    spent = f"With it, {decision.spent:.0%} of the error rate of {decision.alpha:g} over the life of the set is spent."
    again = f", counted before; there were {decision.looks}" if decision.looks > decision.look else ""
    blocks.append(Text(f"This was comparison {decision.look} on this test set{again}. {spent} The next one: {decision.outlook}"))
    if decision.refusals:
        blocks += [Text("Reasons against a promotion:"), Bullets(decision.refusals)]
    worse = sorted((one for one in decision.slices if one.p_worse <= decision.alpha), key=lambda one: one.p_worse)
    better = sorted((one for one in decision.slices if one.p_better <= decision.alpha), key=lambda one: one.p_better)
    if decision.slices:
        state = f"{len(better)} are proved better and {len(worse)} worse"
        blocks.append(Text(f"Of {len(decision.slices)} slices, {state} (corrected for their number)."))
    if changed := [*worse[:MAX_CHANGED], *better[:MAX_CHANGED]]:
        heads = ["slice", "rows", "this version", "champion", "p worse", "p better"]
        rows = [
            [
                one.name,
                str(one.rows),
                f"{one.challenger:.4g}",
                f"{one.champion:.4g}",
                f"{one.p_worse:.2g}",
                f"{one.p_better:.2g}",
            ]
            for one in changed
        ]
        blocks.append(Table(heads, rows, frozenset(range(1, 6))))
    return Section("Against the champion", blocks)


def _comparison(decision: Decision) -> Block:
    if not decision.champion or decision.gain is None:
        return Text("There was no champion to compare with.")
    return Pairs(
        {
            "compared with": f"version {decision.champion}, which decoded the same {decision.rows} rows",
            "outcome": decision.outcome,
            f"gain of {decision.metric}": _figure(decision.gain),
            "rows that differ": str(decision.differing),
            "p, that it is better": f"{decision.p_better:.2g} ({decision.method})",
            "p, that it is worse": f"{decision.p_worse:.2g}",
            "level of this comparison": f"{decision.level:.2g}",
        }
    )


def slices_section(answers: Answers | None, decision: Decision) -> Section:
    """The slices of the test set, and the weak ones.

    Args:
        answers: what the evaluation showed.
        decision: the decision.
    """
    metric = find_metric(decision.metric)
    blocks: list[Block] = [Text("No slice was found where the version is weaker than elsewhere by more than chance.")]
    if decision.weak:
        rows = [[one.name, str(one.rows), f"{one.score:.4g}", f"{one.p_value:.2g}"] for one in decision.weak]
        side = "below" if metric.higher_is_better else "above"
        blocks = [
            Text(f"Weak slices, where {metric.name} is {side} that of the other rows by more than chance:"),
            Table(["slice", "rows", metric.name, "p"], rows, frozenset((1, 2, 3))),
        ]
    if answers is not None and answers.slices:
        shown = {_slice_name(one): Figure(value=one.score) for one in answers.slices}
        counts = {_slice_name(one): f" of {one.count}" for one in answers.slices}
        overall = next(iter(decision.figures.values()), {}).get(metric.name)
        low, high = _scale(metric, [*shown.values()])
        chart = figure_chart(shown, low, high, None if overall is None else overall.value, True, counts)
        blocks.append(Picture(chart, f"{metric.name} by slice, and the number of its rows. Dashed: the whole test set."))
    return Section("Slices", blocks)


def calibration_section(calibration: Calibration | None, metric: str) -> Section:
    """How far the model's probabilities can be trusted.

    Args:
        calibration: its facts.
        metric: the main metric.
    """
    if calibration is None:
        return Section("Calibration", [])
    blocks = _reliability(calibration)
    if calibration.ranking is not None:
        chance = f"{calibration.ranking:.1%}"
        blocks.append(Text(f"With a chance of {chance}, a right answer is more certain than a wrong one (50 %: as a coin tells)."))
    return Section("Calibration", [*blocks, *certainty_blocks(calibration, metric)])


def certainty_blocks(calibration: Calibration, metric: str) -> list[Block]:
    """The score of each fifth of the answers, from the least to the most certain.

    Args:
        calibration: its facts.
        metric: the main metric.
    """
    rows = [[name, _figure(one)] for name, one in zip(FIFTHS, calibration.quality, strict=False)]
    change = "rises" if find_metric(metric).higher_is_better else "falls"
    return [
        Text(f"If {metric} {change} from the least to the most certain answers, a threshold on the score finds answers to check:"),
        Table(["answers", metric], rows, frozenset((1,))),
    ]


def _reliability(calibration: Calibration) -> list[Block]:
    if calibration.error is None:
        reason = "No calibration error is stated: too few answers, or too few that equal their reference."
        many = "Where many answers are right, the model shares its probability among them, and a small one is no bad sign."
        return [Text(f"{reason} {many}")]
    count = sum(one.count for one in calibration.bins)
    mean = sum(one.count * one.confidence for one in calibration.bins) / count
    right = sum(one.count * one.right for one in calibration.bins) / count
    state = "too sure" if mean > right else "too modest"
    rows = [
        [f"{one.low:.1f} to {one.high:.1f}", str(one.count), f"{one.confidence:.3f}", f"{one.right:.3f}"]
        for one in calibration.bins
    ]
    return [
        Text(
            f"The model gives its answers a mean probability of {mean:.3f}, and a share of {right:.3f} is right: on average it is "
            f"{state}. The expected calibration error, the mean difference over ten ranges, is {calibration.error:.3f}."
        ),
        Picture(reliability_chart(calibration.bins), "Share of right answers by probability; on the diagonal both agree."),
        Table(["probability", "answers", "mean", "share right"], rows, frozenset((1, 2, 3))),
    ]


def worst_section(answers: Answers | None) -> Section:
    """The worst answers.

    Args:
        answers: what the evaluation showed.
    """
    if answers is None:
        return Section("Worst answers", [])
    if not answers.worst:
        return Section("Worst answers", [Text("Every answer equals its reference.")])
    rows = [[str(one.row), one.source, one.reference, one.hypothesis, f"{one.cer:.2f}"] for one in answers.worst]
    note = f"{answers.wrong} of {answers.rows} answers differ from their reference; here are those with most edits per character."
    return Section("Worst answers", [Text(note), Table(["row", "source", "reference", "answer", "CER"], rows, frozenset((0, 4)))])


def _slice_name(one: SliceScore) -> str:
    return f"{one.column.replace('_', ' ')} {one.value}"


def _figure(figure: Figure | None) -> str:
    if figure is None:
        return ""
    interval = "" if figure.low is None or figure.high is None else f" [{figure.low:.3g}, {figure.high:.3g}]"
    return f"{figure.value:.4g}{interval}"


def _scale(metric: Metric, figures: Sequence[Figure]) -> tuple[float, float]:
    """The ends of an axis: those of the metric, or further where a score lies beyond."""
    ends: Mapping[str, float] = {"low": metric.low, "high": metric.scale if metric.high is None else metric.high}
    values = [value for one in figures for value in (one.value, one.low, one.high) if value is not None]
    return ends["low"], max([ends["high"], *(value for value in values if value < float("inf"))])
