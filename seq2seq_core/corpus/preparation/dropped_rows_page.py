"""What ``s2s dropped`` and ``s2s changed`` show: the rows that each rule dropped or changed, with file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.corpus.file_faults.text_faults import quote
from seq2seq_core.corpus.preparation.funnel import AUGMENTED
from seq2seq_core.corpus.preparation.row_samples import RowSample, read_samples
from seq2seq_core.errors import MissingInput, UserError


@dataclass(frozen=True)
class RuleRows:
    """The rows of a split that a rule dropped, or that a setting changed.

    Attributes:
        split: the split, a language's sentences (``monolingual.en``), or ``teacher``.
        rule: its name in the funnel.
        effect: ``dropped``, ``changed`` or ``augmented`` (copied with noise).
        count: number of such rows.
        rows_in: number of the split's rows.
        examples: samples of them, in the order of the corpus.
    """

    split: str
    rule: str
    effect: str
    count: int
    rows_in: int
    examples: list[RowSample]

    @property
    def headline(self) -> str:
        """The counts, in a sentence."""
        share = f" ({100 * self.count / self.rows_in:.3g} %)" if self.rows_in else ""
        shown = f"; {len(self.examples)} of them" if 0 < len(self.examples) < self.count else ""
        return f"{self.split}, {self.rule}: {self.effect} {self.count:,} of {self.rows_in:,} rows{share}{shown}"


@dataclass(frozen=True)
class DroppedRows:
    """What the last ``prepare`` did to the rows.

    Attributes:
        has_stopped: whether it stopped because it lost too many rows.
        rules: by split and rule, in the order of the funnel; without rows too.
    """

    has_stopped: bool
    rules: list[RuleRows]

    def select(self, rule: str, split: str, limit: int | None) -> DroppedRows:
        """The part with one rule or split.

        Args:
            rule: its name, or the first part of it (``leakage`` also for ``leakage.exchanged``); empty: all.
            split: its name; empty: all.
            limit: most examples of each rule; None: all that are kept.

        Raises:
            UserError: there is no such rule or split, or the rule is not applied to the split.
        """
        known_rules, known_splits = (list(dict.fromkeys(getattr(one, key) for one in self.rules)) for key in ("rule", "split"))
        if not self.rules:
            return self
        found = [one for one in self.rules if not rule or one.rule == rule or one.rule.startswith(f"{rule}.")]
        if not found:
            raise UserError(f"--rule: expected one of {', '.join(known_rules)}, got {rule!r}")
        if split and split not in known_splits:
            raise UserError(f"--split: expected one of {', '.join(known_splits)}, got {split!r}")
        kept = [one for one in found if split in ("", one.split)]
        if not kept:
            applied = ", ".join(dict.fromkeys(one.split for one in found))
            raise UserError(f"--split: {rule} is applied to {applied} only, got {split!r}")
        return DroppedRows(self.has_stopped, [RuleRows(**vars(one) | {"examples": one.examples[:limit]}) for one in kept])

    def changes(self) -> DroppedRows:
        """The part about rows that were changed, or copied with noise."""
        return DroppedRows(self.has_stopped, [one for one in self.rules if one.effect in ("changed", AUGMENTED)])

    def as_json(self) -> str:
        """Everything as one JSON object."""
        rules = [asdict(one) for one in self.rules]
        return json.dumps({"has_stopped": self.has_stopped, "rules": rules}, ensure_ascii=False)

    def as_text(self) -> str:
        """The rules that have rows, a block each."""
        blocks = ["`s2s prepare` stopped: it lost too many rows. These are the rows of that run."] if self.has_stopped else []
        blocks += ["\n".join([one.headline, *_list_examples(one.examples)]) for one in self.rules if one.count]
        if not self.rules:
            blocks.append("no text is changed: prepare.mend, unicode_normalization, whitespace and augment are off")
        elif not any(one.count for one in self.rules):
            blocks.append("no row was dropped or changed by " + ", ".join(dict.fromkeys(one.rule for one in self.rules)))
        elif not any(one.examples for one in self.rules):
            blocks.append("no examples are shown: --limit or prepare.examples is 0")
        return "\n\n".join(blocks)


def _list_examples(examples: Sequence[RowSample]) -> Iterator[str]:
    """A line for each example, in columns."""
    width = max((len(example.place) for example in examples), default=0)
    for example in examples:
        yield f"  {example.place:{width}}  {_describe(example)}".rstrip()


def _describe(example: RowSample) -> str:
    shown = " → ".join(map(quote, example.texts.values()))
    changed = {side: text for side, text in example.changed_texts.items() if text != example.texts[side]}
    return ", ".join([shown, *(f"{side} now {quote(text)}" for side, text in changed.items())])


def read_dropped_rows(paths: Paths) -> DroppedRows:
    """What the last ``prepare`` did, whether it succeeded or stopped because it lost too many rows.

    Args:
        paths: the workspace.

    Raises:
        MissingInput: no corpus is prepared, or by a version that kept no samples.
    """
    stopped = paths.stopped_prepare
    has_stopped = (stopped / paths.dropped_rows.name).is_file()
    folder = stopped if has_stopped else paths.prepare_report.parent
    counts = _read(folder / paths.prepare_report.name, _read_counts)
    samples = _read(folder / paths.dropped_rows.name, read_samples)
    rules = [
        RuleRows(split, rule, effect, count, rows_in, [one for one in samples if (one.split, one.rule) == (split, rule)])
        for split, rows_in, effect, rule, count in counts
    ]
    return DroppedRows(has_stopped, rules)


def _read_counts(file: Path) -> list[tuple[str, int, str, str, int]]:
    """Split, rows in, effect, name and count of each rule of a funnel."""
    funnels = json.loads(file.read_text(encoding="utf-8"))
    found = [
        (split, int(funnel["rows_in"]), effect, rule, int(count))
        for split, funnel in funnels.items()
        for effect, prefix in (("dropped", ""), ("changed", ""), (AUGMENTED, f"{AUGMENTED}."))
        for rule, count in ((f"{prefix}{name}", count) for name, count in funnel.get(effect, {}).items())
    ]
    if not found:
        raise ValueError("it has no rule")
    return found


def _read(path: Path, read: Any) -> Any:
    try:
        return read(path)
    except FileNotFoundError:
        raise MissingInput(f"{path}: no such file; `s2s prepare` (or `dvc repro prepare`) makes it") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MissingInput(f"{path}: not as `s2s prepare` writes it ({error}); run it again") from None
