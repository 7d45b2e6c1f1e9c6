"""Edits of a clone, and what `s2s why` says of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DATA = "data/raw/digits"


def _replace(old: str, new: str) -> Callable[[Path], None]:
    def edit(file: Path) -> None:
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file}: {old!r}"
        file.write_text(text.replace(old, new), encoding="utf-8")

    return edit


def _edit_rows(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[16] = lines[16].replace("odd", "ODD").replace("even", "EVEN")
    lines += ["998\t9,9,8\teven", "999\t9,9,9\todd"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _drop_row(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:3] + lines[4:]), encoding="utf-8")


@dataclass(frozen=True)
class Case:
    """An edit, and what is said of it.

    Attributes:
        file: that is edited.
        edit: changes it.
        stage: that names the change.
        text: of the reason.
        details: the line before and after.
        through: a stage further down, and the stages between both, from the stage that runs on.
    """

    file: str
    edit: Callable[[Path], None]
    stage: str
    text: str
    details: tuple[str, ...] = ()
    through: tuple[str, ...] = ()


RULE = "seq2seq_core/corpus/cleaning_rules/max_length_ratio.py"
COSINE = "seq2seq_core/training/updates/schedules/cosine.py"
CASES = {
    "a line of a cleaning rule": Case(
        RULE,
        _replace("return longer > section", "return longer >= section"),
        "prepare",
        f"cleaning rule max_length_ratio: function _is_broken changed ({RULE}:11)",
        (
            "- return longer > section.max_length_ratio * shorter",
            "+ return longer >= section.max_length_ratio * shorter",
        ),
        ("train", "prepare", "tokenize"),
    ),
    "rows of a file": Case(
        f"{DATA}/train.tsv",
        _edit_rows,
        "prepare",
        f"{DATA}/train.tsv: 2 rows added (from line 302), 1 row changed (line 17)",
        through=("train", "prepare", "tokenize"),
    ),
    "a setting of a rule": Case(
        "params.yaml", _replace("max_length_ratio: 9.0", "max_length_ratio: 8.5"), "prepare", "prepare.max_length_ratio: 9.0 → 8.5"
    ),
    "a row that is gone": Case(f"{DATA}/dev.tsv", _drop_row, "validate", f"{DATA}/dev.tsv: 1 row removed (it was line 4)"),
    "a new file": Case(f"{DATA}/more.tsv", lambda file: file.touch(), "validate", f"{DATA}/more.tsv is new"),
    "a setting": Case("params.yaml", _replace("max_steps: 12", "max_steps: 13"), "train", "train.max_steps: 12 → 13"),
    "a setting that was not set": Case(
        "params.yaml", _replace("beam_size: 2", "beam_size: 2\n  length_penalty: 0.5"), "export",
        "evaluate.length_penalty: 0.5 (not set before)", through=("register",),
    ),
    "a default": Case(
        "seq2seq_core/config/decoding_options.py",
        _replace("highest=4096)] = Field(default=20", "highest=4096)] = Field(default=21"),
        "export",
        "the default of evaluate.max_length_offset: 20 → 21",
    ),
    "a line of the training": Case(
        COSINE,
        _replace("return 0.5 * (", "return 0.25 * 2 * ("),
        "train",
        f"schedule cosine: function fraction changed ({COSINE}:13)",
        (
            "- return 0.5 * (1.0 + math.cos(math.pi * decayed_fraction(step, settings)))",
            "+ return 0.25 * 2 * (1.0 + math.cos(math.pi * decayed_fraction(step, settings)))",
        ),
        ("evaluate", "train"),
    ),
    "a new constant": Case(
        "seq2seq_core/decoding/beam_search.py",
        _replace("from __future__ import annotations\n", "from __future__ import annotations\n\nMOST = 3\n"),
        "evaluate",
        "constant MOST new (seq2seq_core/decoding/beam_search.py:20)",
        ("+ MOST = 3",),
    ),
}  # fmt: skip
