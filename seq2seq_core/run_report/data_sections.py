"""The sections of the report about the corpus: contracts, funnel, leakage, samples of rows, tokenisation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seq2seq_core.corpus.file_faults.text_faults import quote
from seq2seq_core.corpus.preparation.dropped_rows_page import RuleRows
from seq2seq_core.corpus.preparation.row_samples import RowSample
from seq2seq_core.json_text import shorten
from seq2seq_core.model_card.blocks import Block, Bullets, Fold, Picture, Section, Table, Text
from seq2seq_core.model_card.charts import figure_chart, round_up
from seq2seq_core.model_card.facts import Figure, Split
from seq2seq_core.model_card.origin import read_funnels
from seq2seq_core.model_card.origin_sections import funnel_table
from seq2seq_core.run_report.run_facts import RunFacts

TEXT_CHARACTERS, NAME_CHARACTERS = 160, 80
MOST_SAMPLES = 10
LEAKAGE = "leakage"
LEAKAGE_CONTRACTS = ("test_leakage", "dev_leakage", "dev_test_overlap", "monolingual_leakage")


def contracts_section(facts: RunFacts) -> Section:
    """The contracts that are broken, with their first offenders.

    Args:
        facts: of the run.
    """
    results = _results(facts.validation)
    if not results:
        return Section("Contracts", [])
    broken = sorted((one for one in results if not one.get("success", True)), key=lambda one: one.get("severity") != "error")
    if not broken:
        return Section("Contracts", [Text(f"All {len(results)} contracts hold.", "good"), *_data_docs(facts)])
    errors = sum(one.get("severity") == "error" for one in broken)
    state = f"{len(broken)} of {len(results)} contracts are broken, {errors} of severity error."
    rows = [[*(str(one.get(name, "")) for name in ("severity", "split", "expectation")), _found(one)] for one in broken]
    blocks: list[Block] = [Text(state, "bad" if errors else "note"), Table(["severity", "split", "contract", "rows"], rows)]
    for one in broken:
        examples = [shorten(str(example), 4 * TEXT_CHARACTERS) for example in one.get("examples", [])]
        title = f"{one.get('split')}, {one.get('expectation')}: {shorten(str(one.get('statement', '')), 2 * TEXT_CHARACTERS)}"
        if examples:
            blocks.append(Fold(title, [Bullets(examples)]))
    return Section("Contracts", [*blocks, *_data_docs(facts)])


def _results(validation: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for one in validation.get("results", []) if isinstance(one, dict)]


def _found(result: Mapping[str, Any]) -> str:
    """How many rows break a contract."""
    if observed := result.get("observed"):
        return shorten(str(observed), NAME_CHARACTERS)
    unexpected, checked = int(result.get("unexpected") or 0), int(result.get("checked") or 0)
    return f"{unexpected:,} of {checked:,}" + (f" ({100 * unexpected / checked:.3g} %)" if checked else "")


def _data_docs(facts: RunFacts) -> list[Block]:
    where = f"All contracts are in Data Docs: {facts.data_docs}, and with the run of validate in MLflow."
    return [Text(where, "note")] if facts.data_docs else []


def funnel_section(facts: RunFacts) -> Section:
    """Where the rows went, by split.

    Args:
        facts: of the run.
    """
    splits = read_funnels(facts.funnels)
    if not splits:
        return Section("Funnel", [])
    blocks: list[Block] = []
    if facts.rows is not None and facts.rows.has_stopped:
        blocks.append(Text("prepare stopped, because it lost too many rows. These are the rows of that run.", "bad"))
    blocks.append(funnel_table(splits))
    train = next((split for split in splits if split.name == "train"), splits[0])
    blocks += [_shares(train, "dropped", train.dropped), _shares(train, "changed", train.changed)]
    return Section("Funnel", [block for block in blocks if not isinstance(block, Picture) or block.svg])


def _shares(split: Split, effect: str, counts: Mapping[str, int]) -> Picture:
    """The shares of a split's rows that rules dropped or changed; an empty picture: there are none."""
    shares = {rule: 100 * count / split.rows_in for rule, count in counts.items() if count and split.rows_in}
    if not shares:
        return Picture("", "")
    figures = {rule: Figure(value=float(f"{share:.3g}")) for rule, share in shares.items()}
    top = 100 * round_up(max(shares.values()) / 100)
    chart = figure_chart(figures, 0.0, top, bars=True, notes=dict.fromkeys(figures, " %"))
    return Picture(chart, f"{split.name}: rows {effect}, in % of its {split.rows_in:,} rows.")


def leakage_section(facts: RunFacts) -> Section:
    """What was found of dev and test in train, and what was done about it.

    Args:
        facts: of the run.
    """
    found = [one for one in _results(facts.validation) if one.get("expectation") in LEAKAGE_CONTRACTS]
    rows = [[f"found by validate: {one.get('expectation')}", str(one.get("split", "")), _found(one)] for one in found]
    dropped = [] if facts.is_earlier("prepare") else read_funnels(facts.funnels)
    rows += [
        [f"dropped by prepare: {rule}", split.name, f"{count:,} of {split.rows_in:,}"]
        for split in dropped
        for rule, count in split.dropped.items()
        if rule == LEAKAGE or rule.startswith(f"{LEAKAGE}.")
    ]
    if not rows:
        return Section("Leakage", [])
    blocks: list[Block] = [Table(["", "split", "rows"], rows)]
    if dropped:
        blocks.append(Text("Samples of the rows that were dropped for it are below.", "note"))
    return Section("Leakage", blocks)


def samples_section(facts: RunFacts) -> Section:
    """Samples of dropped, changed and kept rows.

    Args:
        facts: of the run.
    """
    blocks: list[Block] = []
    for rule in facts.rows.rules if facts.rows is not None else ():
        if rule.count:
            table = _changes(rule.examples) if rule.effect != "dropped" else _texts(rule.examples)
            blocks.append(Fold(_headline(rule), [table] if rule.examples else [Text("prepare.examples is 0.", "note")]))
    for split in dict.fromkeys(row.split for row in facts.kept):
        own = [row.values for row in facts.kept if row.split == split]
        names = list(dict.fromkeys(name for values in own for name in values))
        cells = [[quote(values[name], width=TEXT_CHARACTERS) if name in values else "" for name in names] for values in own]
        blocks.append(Fold(f"{split}: kept rows", [Table([shorten(name, NAME_CHARACTERS) for name in names], cells)]))
    return Section("Samples of rows", blocks)


def _headline(rule: RuleRows) -> str:
    share = f" ({100 * rule.count / rule.rows_in:.3g} %)" if rule.rows_in else ""
    return f"{rule.split}: {rule.effect} by {rule.rule}, {rule.count:,} of {rule.rows_in:,} rows{share}"


def _texts(examples: Sequence[RowSample]) -> Table:
    sides = list(dict.fromkeys(side for example in examples for side in example.texts))
    rows = [
        [example.place, *(quote(example.texts.get(side, ""), width=TEXT_CHARACTERS) for side in sides)]
        for example in examples[:MOST_SAMPLES]
    ]
    return Table(["file and line", *sides], rows)


def _changes(examples: Sequence[RowSample]) -> Table:
    rows = [row for example in examples[:MOST_SAMPLES] for row in _changed_sides(example)]
    return Table(["file and line", "side", "before", "after"], rows)


def _changed_sides(example: RowSample) -> Iterator[list[str]]:
    for side, after in example.changed_texts.items():
        before = example.texts.get(side, "")
        if after != before:
            pairs = enumerate(zip(before, after, strict=False))
            first = next((place for place, (one, other) in pairs if one != other), min(len(before), len(after)))
            yield [example.place, side, *(quote(text, first, TEXT_CHARACTERS) for text in (before, after))]


def tokens_section(facts: RunFacts) -> Section:
    """How well the vocabulary covers the texts.

    Args:
        facts: of the run.
    """
    rows, parts = [], [(name, own) for name, own in facts.tokens.items() if isinstance(own, dict)]
    for name, own in parts:
        for side in ("source", "target"):
            figures = own.get(side)
            if isinstance(figures, dict):
                rows.append(
                    [f"{name} {side}", *(_number(figures.get(key)) for key in ("mean_tokens", "max_tokens")), _share(figures)]
                )
    if not rows:
        return Section("Tokenisation", [])
    names = {"source_vocabulary_size": "source symbols", "target_vocabulary_size": "target symbols"}
    sizes = ", ".join(f"{facts.tokens[key]:,} {label}" for key, label in names.items() if isinstance(facts.tokens.get(key), int))
    cut = {name: own["dropped_too_long"] for name, own in parts if own.get("dropped_too_long")}
    blocks: list[Block] = [Text(f"Vocabulary: {sizes}.")] if sizes else []
    blocks.append(Table(["", "mean tokens", "most tokens", "unknown"], rows, frozenset((1, 2, 3))))
    blocks += [Text(f"{name}: {count:,} pairs are too long and were left out.") for name, count in cut.items()]
    return Section("Tokenisation", blocks)


def _share(figures: Mapping[str, Any]) -> str:
    value = figures.get("unknown_fraction")
    return f"{value:.3%}" if isinstance(value, int | float) else ""


def _number(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, int | float) else ""
