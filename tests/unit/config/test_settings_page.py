"""The reference of all settings, made from their classes."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.settings_page import FIRST_SETTINGS, describe_settings, find_setting, settings_tables
from seq2seq_core.errors import UserError


def rows(text: str) -> list[str]:
    """The first cell of each row."""
    return [line.split("|")[1].strip().strip("`") for line in text.splitlines() if line.startswith("| `")]


def test_every_field_of_every_settings_class_has_a_row_with_its_own_meaning() -> None:
    tables = settings_tables()
    meanings = {(row.name, row.meaning) for table in tables for row in table.settings}
    for definition in Settings.model_json_schema()["$defs"].values():
        for name, field in definition["properties"].items():
            assert (name, " ".join(field["description"].split()).replace("``", "`")) in meanings


def test_the_first_settings_are_ten_that_exist_in_the_order_of_the_pipeline() -> None:
    found = rows(describe_settings().split("## `corpus`")[0])
    assert found == list(FIRST_SETTINGS)
    assert len(found) == 10


@pytest.mark.parametrize(
    ("name", "kind", "default"),
    [
        ("train.max_steps", "whole number, at least 1", "`10000`"),
        ("train.adam_betas", "list of 2 (number, at least 0 and below 1)", "`[0.9, 0.98]`"),
        ("train.learning_rate", "number, above 0 and at most 1", "`0.001`"),
        ("train.average_last", "whole number, 0 to 100", "`0`"),
        ("train.schedule", "`constant`, `inverse_sqrt`, `linear`, `cosine` or `plateau`", "`inverse_sqrt`"),
        ("model.encoder", "`rnn`, `gru`, `lstm` or `transformer` or none", "none"),
        ("corpus.path", "text, not empty", "**required**"),
        ("corpus.conversations", "[settings](#corpusconversations) or none", "none"),
        ("corpus.header", "`true` or `false`", "`true`"),
        ("runtime.devices", "`auto` or whole number, 1 to 1,024", "`auto`"),
        ("runtime.flow.concurrency_limits", "mapping to (whole number, at least 1)", "`{gpu: 1}`"),
        ("runtime.flow.stages", "mapping to [settings](#runtimeflowdefault-and-runtimeflowstages)", "`{train: {tags: [gpu]}}`"),
        ("runtime.flow.refresh.targets", r"list of (text that matches `\.dvc$`)", "`[]`"),
        ("validate.max_characters", "[settings](#validatemin_rows-and-3-others)", "`{limit: 5000, severity: warning}`"),
        ("tokenize.target.vocabulary_size", "whole number, at least 8", "`8000`"),
    ],
)
def test_type_bounds_and_default_of_a_setting_are_in_words(name: str, kind: str, default: str) -> None:
    row = find_setting(settings_tables(), name)
    assert row is not None
    assert (row.kind, row.default) == (kind, default)


def test_a_phase_shows_only_what_train_does_not_have() -> None:
    assert rows(describe_settings("train.phases")) == ["objective"]


def test_a_section_comes_with_the_tables_inside_it_and_no_others() -> None:
    headings = [line for line in describe_settings("tokenize").splitlines() if line.startswith("#")]
    assert headings == [
        "## `tokenize`",
        "### `tokenize.source` and `tokenize.target`",
        "### `tokenize.audio`",
        "### `tokenize.image`",
        "### `tokenize.speech`",
    ]


def test_a_group_of_settings_or_a_single_one_can_be_asked_for() -> None:
    assert rows(describe_settings("train.plateau")) == ["factor", "patience", "lowest_fraction"]
    assert rows(describe_settings("train.plateau.factor")) == ["factor"]
    assert rows(describe_settings("validate.mojibake")) == ["limit", "severity"]


def test_a_bar_inside_a_pattern_does_not_end_its_cell() -> None:
    assert r"`^(auto\|cpu\|cuda(:\d+)?)$`" in describe_settings("runtime.device")


def test_an_unknown_name_is_refused_with_those_that_are_like_it() -> None:
    with pytest.raises(UserError) as caught:
        describe_settings("train.max_stepz")
    near = "train.max_steps, train.max_epochs, train.warmup_steps"
    assert str(caught.value) == f"NAME: must be a section or a setting such as {near}, got 'train.max_stepz'"


def test_the_command_prints_the_markdown_as_it_is_where_nobody_looks() -> None:
    result = CliRunner().invoke(app, ["settings", "register"])
    assert (result.exit_code, result.stdout) == (0, describe_settings("register"))
    assert CliRunner().invoke(app, ["settings", "nonsense"]).exit_code == 2
