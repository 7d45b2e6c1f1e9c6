"""The sections of a card about where the version comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seq2seq_core.model_card.blocks import Block, Bullets, Pairs, Picture, Section, Table, Text
from seq2seq_core.model_card.charts import line_chart
from seq2seq_core.model_card.facts import Answers, CardFacts, Coverage, Origin, Runtime, Split

MAX_SHOWN = 20
NOT_KNOWN = "Not known: the version was registered elsewhere, or by an earlier release."


def purpose_section(facts: CardFacts) -> Section:
    """What the model is for."""
    blocks: list[Block] = []
    origin = facts.origin
    if origin is None:
        return Section("What it is for", [Text(NOT_KNOWN, "note")])
    if origin.purpose:
        blocks.append(Text(origin.purpose))
    use = dict(origin.use)
    if facts.answers is not None and facts.answers.example is not None:
        use["an example"] = " → ".join(facts.answers.example)
    if facts.runtime is not None:
        use["weights"] = f"{facts.runtime.parameters:,}"
    blocks.append(Pairs(use))
    return Section("What it is for", blocks)


def data_section(origin: Origin | None) -> Section:
    """Where the data comes from, its funnel, and the contracts."""
    if origin is None or not (origin.splits or origin.sources):
        return Section("Data", [Text(NOT_KNOWN, "note")] if origin is None else [])
    blocks: list[Block] = []
    if origin.sources:
        rows = [[one.source, one.version, one.licence] for one in origin.sources]
        blocks.append(Table(["corpus", "version", "licence"], rows))
    if origin.splits:
        blocks.append(funnel_table(origin.splits))
    errors = sum(one.severity == "error" for one in origin.breaches)
    if origin.contracts:
        state = f"{origin.contracts} contracts were checked; {len(origin.breaches)} were broken"
        blocks.append(Text(f"{state}, {errors} of them errors." if origin.breaches else f"{state}."))
    blocks.append(Bullets([f"{one.severity}, {one.split}: {one.statement} ({one.rows} rows)" for one in origin.breaches]))
    return Section("Data", [block for block in blocks if not isinstance(block, Bullets) or block.items])


def funnel_table(splits: Sequence[Split]) -> Table:
    """Rows in, dropped, carved out, out and changed, and lengths; a column a split.

    Args:
        splits: of a corpus.
    """
    rules = dict.fromkeys(rule for split in splits for rule in split.dropped)
    parts = dict.fromkeys(part for split in splits for part in split.carved)
    rows = [["rows in", *(f"{split.rows_in:,}" for split in splits)]]
    rows += [[f"dropped by {rule}", *(_count(split.dropped.get(rule)) for split in splits)] for rule in rules]
    rows += [[f"carved out as {part}", *(_count(split.carved.get(part)) for split in splits)] for part in parts]
    kinds = dict.fromkeys(kind for split in splits for kind in split.augmented)
    rows += [
        [f"also with noise: {kind}", *(f"+{split.augmented[kind]:,}" if kind in split.augmented else "" for split in splits)]
        for kind in kinds
    ]
    rows += [["rows out", *(f"{split.rows_out:,}" for split in splits)]]
    changes = dict.fromkeys(rule for split in splits for rule in split.changed if any(own.changed.get(rule) for own in splits))
    rows += [[f"changed by {rule}", *(f"{split.changed.get(rule, 0):,}" for split in splits)] for rule in changes]
    sides = dict.fromkeys(side for split in splits for side in split.lengths)
    for side in sides:
        lengths = [split.lengths.get(side, {}) for split in splits]
        rows += [[f"{side} characters, median", *(f"{own['median']:g}" if "median" in own else "" for own in lengths)]]
        rows += [[f"{side} characters, most", *(f"{own['max']:g}" if "max" in own else "" for own in lengths)]]
    return Table(["", *(split.name for split in splits)], rows, frozenset(range(1, len(splits) + 1)))


def _count(count: int | None) -> str:
    return "" if count is None else f"-{count:,}" if count else "0"


def training_section(origin: Origin | None) -> Section:
    """The curves of the training."""
    if origin is None or not (origin.training or origin.curve):
        return Section("Training", [])
    curve, metric = origin.curve, origin.dev_metric
    blocks: list[Block] = [Pairs(origin.training)] if origin.training else []
    losses = {
        "train loss": [(float(point.step), point.train_loss) for point in curve if point.train_loss is not None],
        "dev loss": [(float(point.step), point.dev_loss) for point in curve if point.dev_loss is not None],
    }
    scores = [(float(point.step), point.dev_score) for point in curve if point.dev_score is not None]
    if any(losses.values()):
        caption = "Loss by update; where the dev loss rises and the train loss falls, the model learns its corpus by heart."
        blocks.append(Picture(line_chart(losses, "nats per target token", 0.0), caption))
    if scores:
        name = metric or "dev score"
        blocks.append(Picture(line_chart({name: scores}, "dev score", 0.0), f"{name} of decoded dev sentences by update."))
    return Section("Training", blocks)


def limits_section(origin: Origin | None, answers: Answers | None) -> Section:
    """Where the model was not trained, or not tested."""
    items: list[str] = []
    if origin is not None:
        items += _length_limits(origin.splits)
        items += [
            f"{share:.2%} of the tokens of {part} are unknown symbols to the model."
            for part, share in origin.unknown.items()
            if share
        ]
        items += [] if origin.coverage is None else _coverage_limits(origin.coverage)
        items += [f"The data broke a contract: {one.statement} ({one.split}, {one.rows} rows)." for one in origin.breaches]
    if answers is not None:
        cut = f"{answers.is_cut} of {answers.rows} answers ({answers.is_cut / answers.rows:.2%})"
        items.append(f"{cut} were cut at the length limit." if answers.is_cut else "No answer was cut at the length limit.")
        if answers.empty:
            items.append(f"{answers.empty} answers are empty.")
    items.append("Scores hold for texts like those of the test set. Other domains, lengths and languages were not measured.")
    return Section("Limits", [Bullets(items)])


def _length_limits(splits: Sequence[Split]) -> Iterator[str]:
    named = {split.name: split for split in splits}
    for side, own in (named["train"].lengths if "train" in named else {}).items():
        if "max" in own and "p99" in own:
            tested = named["test"].lengths.get(side, {}) if "test" in named else {}
            beyond = f"; the longest in test has {tested['max']:g}" if "max" in tested else ""
            yield f"Training {side}s have up to {own['max']:g} characters, 99 % of them at most {own['p99']:g}{beyond}."


def _coverage_limits(coverage: Coverage) -> Iterator[str]:
    where = "no training row" if coverage.is_whole else f"none of the first {coverage.train_rows:,} training rows"
    if coverage.unseen_symbols:
        shown = ", ".join(f"“{symbol}” (U+{ord(symbol):04X}, {count} rows)" for symbol, count in _first(coverage.unseen_symbols))
        yield f"{len(coverage.unseen_symbols)} symbols of test sources are in {where}: {shown}."
    for column, values in coverage.unseen_values.items():
        shown = ", ".join(f"{value or '(empty)'} ({count} rows)" for value, count in _first(values))
        yield f"{len(values)} values of {column} in test are in {where}: {shown}."
    if not coverage.unseen_symbols and not coverage.unseen_values:
        yield "All symbols of the test sources, and all values of their columns, are in train too: unseen ones were not measured."


def _first(counts: dict[str, int]) -> list[tuple[str, int]]:
    return list(counts.items())[:MAX_SHOWN]


def runtime_section(runtime: Runtime | None) -> Section:
    """Size and speed."""
    if runtime is None:
        return Section("Size and latency", [])
    entries = {"files": f"{runtime.megabytes:.3g} MB", "weights": f"{runtime.parameters:,}"}
    if runtime.milliseconds is not None:
        entries["median time of a request of one row"] = f"{runtime.milliseconds:.3g} ms"
    threads = f"{runtime.threads} thread{'s' if runtime.threads != 1 else ''}"
    note = f"Measured on the machine that made the decision: {runtime.machine}, {runtime.device}, {threads}. Other machines differ."
    return Section("Size and latency", [Pairs(entries), Text(note, "note")])


def lineage_section(facts: CardFacts) -> Section:
    """Where everything came from."""
    blocks: list[Block] = [Pairs(facts.lineage)]
    if facts.origin is not None and facts.origin.inputs:
        blocks.append(Table(["input", "digest"], list(facts.origin.inputs.items())))
    return Section("Lineage", blocks)
