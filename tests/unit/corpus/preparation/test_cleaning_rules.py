"""A rule that is added: where it is asked, and where it must not be."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.prepare import CLEANING_RULES, PrepareSection
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus import cleaning_rules
from seq2seq_core.corpus.cleaning import cleaning_rules as rules_of_pairs
from seq2seq_core.corpus.cleaning import text_rules
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.preparation.split_rows import SplitRows
from seq2seq_core.corpus.rows.comparison_macros import create_comparison_macros
from seq2seq_core.corpus.rows.row_writer import RowWriter
from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.named_modules import load, names_of
from seq2seq_core.normal_form import NormalForm
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare

NEW_RULES = {
    "drop_same_length": """
from seq2seq_core.corpus.cleaning_rule import PairRule
RULE = PairRule("drop_same_length", lambda source, target, section: len(source) == len(target))
""",
    "drop_digits": """
from seq2seq_core.corpus.cleaning_rule import TextRule
RULE = TextRule("drop_digits", lambda text, section: any(map(str.isdigit, text)))
""",
}


class ExtendedSection(PrepareSection):
    drop_digits: bool = False
    drop_same_length: bool = False


@pytest.fixture
def new_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "more_rules"
    folder.mkdir()
    for name, text in NEW_RULES.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    for holder, name in ((cleaning_rules, "__path__"), (cleaning_rules.__spec__, "submodule_search_locations")):
        monkeypatch.setattr(holder, name, [*cleaning_rules.__path__[:1], str(folder)])


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    folder = tmp_path / "raw"
    folder.mkdir()
    rows = {"train": ["ab\txy", "abc\tx", "a1\txyz"], "dev": ["one\ttwo two"], "test": ["three\tfour"]}
    for split, pairs in rows.items():
        (folder / f"{split}.tsv").write_text("".join(f"{pair}\n" for pair in ["source\ttarget", *pairs]), encoding="utf-8")
    (folder / "en.txt").write_text("a sentence\nroom 7\n", encoding="utf-8")
    return Paths(tmp_path)


def settings_with(section: PrepareSection) -> Settings:
    columns = {"source_language": "en", "target_language": "de"}
    settings = parse_settings(
        {
            "corpus": {
                "path": "raw",
                "files": {split: [{"file": f"{split}.tsv", "columns": columns}] for split in ("train", "dev", "test")},
                "monolingual": [{"file": "en.txt", "language": "en"}],
            },
            "register": {"model_name": "m"},
            "tokenize": {"joint": True, "source_tags": ["target_language"]},
            "runtime": {"progress": "plain"},
        },
        "test",
    )
    return settings.model_copy(update={"prepare": section})


def dropped(paths: Paths, split: str) -> dict[str, int]:
    counts: dict[str, int] = json.loads(paths.prepare_report.read_text(encoding="utf-8"))[split]["dropped"]
    return counts


@pytest.mark.usefixtures("new_rules")
def test_a_new_rule_that_compares_sides_drops_pairs_and_no_monolingual_sentence(paths: Paths) -> None:
    run_prepare(settings_with(ExtendedSection(drop_same_length=True)), paths, NullRecorder())
    assert dropped(paths, "train")["drop_same_length"] == 1
    assert "drop_same_length" not in dropped(paths, "monolingual.en")
    assert paths.prepared_sentences("en").read_text(encoding="utf-8").count("\n") == 2


@pytest.mark.usefixtures("new_rules")
def test_a_new_rule_of_a_text_drops_pairs_and_monolingual_sentences(paths: Paths) -> None:
    run_prepare(settings_with(ExtendedSection(drop_digits=True)), paths, NullRecorder())
    assert dropped(paths, "train")["drop_digits"] == dropped(paths, "monolingual.en")["drop_digits"] == 1


@pytest.mark.usefixtures("new_rules")
def test_new_rules_are_tried_in_the_order_of_the_fields_and_only_where_they_are_on() -> None:
    on = ExtendedSection(drop_digits=True, drop_same_length=True, drop_copies=True)
    assert list(rules_of_pairs(on)) == ["drop_copies", "min_characters", "max_characters", "drop_digits", "drop_same_length"]
    assert [rule.name for rule in text_rules(on)] == ["min_characters", "max_characters", "drop_digits"]
    assert list(rules_of_pairs(ExtendedSection())) == ["min_characters", "max_characters"]


@pytest.mark.usefixtures("new_rules")
def test_a_rule_without_a_setting_of_its_name_is_no_rule() -> None:
    with pytest.raises(AssertionError, match="a cleaning rule has no setting of its name"):
        rules_of_pairs(PrepareSection())


@pytest.mark.parametrize(
    ("value", "is_on"), [(False, False), (0, False), (0.0, False), ("none", False), (True, True), (2, True), ("exact", True)]
)
def test_a_rule_is_on_where_its_setting_says_something(value: Any, is_on: bool) -> None:
    assert ("drop_copies" in PrepareSection.model_construct(drop_copies=value).rules_in_use()) is is_on


@pytest.mark.parametrize("name", names_of(CLEANING_RULES))
def test_a_rule_is_named_as_its_file(name: str) -> None:
    assert load(CLEANING_RULES, name).RULE.name == name


@pytest.mark.parametrize("name", [name for name in names_of(CLEANING_RULES) if load(CLEANING_RULES, name).RULE.condition])
def test_the_condition_of_a_rule_is_its_function(tmp_path: Path, fresh_seed: int, name: str) -> None:
    rule, generator = load(CLEANING_RULES, name).RULE, random.Random(fresh_seed)
    section = PrepareSection(
        min_characters=2, max_characters=6, max_length_ratio=1.7, drop_copies=True, drop_control_characters=True
    )
    letters = ["a", "é", "e\u0301", "\x07", "\t", "\ufffd", "\U0001f600", "b"]
    texts = [["".join(generator.choices(letters, k=generator.randrange(10))) for _ in range(2000)] for _ in range(2)]
    with open_row_store(tmp_path, "256 MB") as store:
        create_comparison_macros(store, NormalForm(whitespace="keep"))
        RowWriter(store, "train").add([Row(one, other, {}, "c.tsv", 1) for one, other in zip(*texts, strict=True)])
        rows = SplitRows(store, "train", section)
        rows.judge([rule])
        broken = {position for (position,) in store.fetch(f"SELECT position FROM {rows.verdicts}")}
    expected = {position for position, pair in enumerate(zip(*texts, strict=True)) if rule.drops(*pair, section)}
    assert broken == expected
    assert 0 < len(broken) < 2000


def test_the_rules_are_tried_in_the_order_of_their_settings() -> None:
    names, fields = PrepareSection.rule_names(), list(PrepareSection.model_fields)
    assert sorted(names) == list(names_of(CLEANING_RULES))
    assert names == sorted(names, key=fields.index)
    assert names.index("drop_copies") < names.index("min_characters") < names.index("max_length_ratio")
