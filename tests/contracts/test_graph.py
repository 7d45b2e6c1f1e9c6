"""dvc.yaml against the command line, the settings and the imports."""

from __future__ import annotations

import ast
import io
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from ruamel.yaml import YAML

from seq2seq_core import stage_table
from seq2seq_core.cli.main import app
from seq2seq_core.code_digests.features import features_in_use
from seq2seq_core.code_digests.reach import find_module, reached_modules
from seq2seq_core.code_digests.stage_digest import stage_roots
from seq2seq_core.config.settings import load_settings, settings_class

ROOT = Path(__file__).resolve().parents[2]
STAGES = tuple(stage.name for stage in stage_table.STAGES)


@pytest.fixture(scope="module")
def graph() -> dict[str, Any]:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert isinstance(stages, dict)
    return stages


def test_the_graph_has_the_stages_of_the_table_and_their_commands(graph: dict[str, Any]) -> None:
    commands = {stage.name: f"s2s {stage.command_name}" for stage in stage_table.STAGES}
    assert {name: stage["cmd"] for name, stage in graph.items()} == commands


def test_every_stage_is_a_command_of_the_command_line() -> None:
    group = typer.main.get_command(app)
    assert {stage.command_name for stage in stage_table.STAGES} <= set(group.commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("stage", STAGES)
def test_the_table_and_the_graph_name_the_same_sections(graph: dict[str, Any], stage: str) -> None:
    assert set(stage_table.find_stage(stage).sections) == set(graph[stage]["params"])
    assert callable(stage_table.find_stage(stage).load_function())


@pytest.mark.parametrize("stage", STAGES)
def test_the_declared_parameters_are_sections_of_the_settings_and_never_runtime(graph: dict[str, Any], stage: str) -> None:
    sections = {name.rstrip("_") for name in settings_class().model_fields}
    declared = set(graph[stage]["params"])
    assert declared <= sections
    assert "runtime" not in declared


@pytest.mark.parametrize("stage", STAGES)
def test_the_settings_that_a_stage_reads_are_declared(graph: dict[str, Any], stage: str) -> None:
    settings, entry = load_settings(ROOT / "params.yaml"), stage_table.find_stage(stage)
    modules = reached_modules(stage_roots(entry, settings)[:1], features_in_use(settings, entry.sections))
    used = {section for module in modules for section in _sections_read(module)}
    assert used - {"runtime"} <= set(graph[stage]["params"])


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "code"])
def test_a_stage_depends_on_the_digest_of_its_code_and_on_no_source_file(graph: dict[str, Any], stage: str) -> None:
    assert f"reports/code/{stage}.json" in graph[stage]["deps"]
    assert not [dependency for dependency in graph[stage]["deps"] if str(dependency).startswith("seq2seq_core")]


def test_dvc_changes_only_its_own_lines_of_the_graph() -> None:
    before = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    writer, written = YAML(), io.StringIO()  # as DVC writes its files (dvc.utils.serialize)
    writer.default_flow_style = False
    graph = writer.load(before)
    writer.dump(graph, written)
    assert written.getvalue() == before
    graph["stages"]["train"]["frozen"] = True
    frozen = io.StringIO()
    writer.dump(graph, frozen)
    assert [line for line in frozen.getvalue().splitlines() if line not in before.splitlines()] == ["    frozen: true"]


def _sections_read(module: str) -> set[str]:
    """Names of sections taken from an object called ``settings`` whose annotation is Settings."""
    file = find_module(module)
    assert file is not None, module
    source = file.read_text(encoding="utf-8")
    if "config.settings" not in source:
        return set()
    names = set(settings_class().model_fields)
    found = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "settings"
    }
    return {name.rstrip("_") for name in found & names}
