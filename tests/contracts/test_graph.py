"""dvc.yaml against the command line, the settings and the imports."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import pytest
import typer
import yaml

from seq2seq_core import stage_table
from seq2seq_core.cli.main import app
from seq2seq_core.config.metric_names import METRICS
from seq2seq_core.config.prepare import CLEANING_RULES
from seq2seq_core.config.settings import Settings
from seq2seq_core.named_modules import names_of

ROOT = Path(__file__).resolve().parents[2]
STAGES = tuple(stage.name for stage in stage_table.STAGES)

# Shared files that cannot change what a stage writes: editing one must not make every stage stale.
CHANGES_NO_OUTPUT = {
    "seq2seq_core": "the version",
    "seq2seq_core.atomic": "how a file appears, not what is in it",
    "seq2seq_core.training.hardware.allocation": "where memory comes from",
    "seq2seq_core.artifacts": "names of files; a changed name is a changed dvc.yaml",
    "seq2seq_core.config": "a docstring",
    "seq2seq_core.config.runtime": "changes no result by definition",
    "seq2seq_core.config.section": "strictness of parsing",
    "seq2seq_core.config.settings": "parsing; each section's module is a dependency of its own",
    "seq2seq_core.console": "log lines and progress",
    "seq2seq_core.device": "the choice of a device, part of runtime",
    "seq2seq_core.errors": "messages",
    "seq2seq_core.named_modules": "how a module is found, not what is in it",
    "seq2seq_core.outcome": "left beside the outputs",
    "seq2seq_core.training.distributed.rank_environment": "which of several processes this is; changes no result by design",
    "seq2seq_core.recorder": "the protocol of observers",
    "seq2seq_core.stage_table": "what others know of a stage, not what it does",
    "seq2seq_core.stages": "a docstring",
    "seq2seq_core.tracking": "all of it observes a stage's run",
}

# Packages whose modules another one loads by name.
LOADED_BY_NAME = {"seq2seq_core.evaluation.scores": METRICS, "seq2seq_core.corpus.cleaning": CLEANING_RULES}

# Code that a stage puts into its output by path, without importing it.
TAKEN_BY_PATH = {"register": "seq2seq_core/serving"}


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
    sections = {name.rstrip("_") for name in Settings.model_fields}
    declared = set(graph[stage]["params"])
    assert declared <= sections
    assert "runtime" not in declared


@pytest.mark.parametrize("stage", STAGES)
def test_the_settings_that_a_stage_reads_are_declared(graph: dict[str, Any], stage: str) -> None:
    used = {section for module in _own_modules(stage) for section in _sections_read(_file_of(module))}
    assert used - {"runtime"} <= set(graph[stage]["params"])


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_dependencies_cover_what_the_stage_imports(graph: dict[str, Any], stage: str) -> None:
    declared = [ROOT / dependency for dependency in graph[stage]["deps"] if str(dependency).startswith("seq2seq_core")]
    sections = _settings_modules(graph[stage]["params"])
    needed = {module for module in _own_modules(stage) if not module.startswith("seq2seq_core.config.")} | sections
    files = {module: _file_of(module) for module in needed if not _changes_no_output(module)}
    missing = {module for module, file in files.items() if not any(file == path or path in file.parents for path in declared)}
    assert not missing, f"{stage}: a change of {sorted(missing)} would leave the stage fresh"


@pytest.mark.parametrize("stage", STAGES)
def test_no_code_dependency_is_superfluous(graph: dict[str, Any], stage: str) -> None:
    imported = {_file_of(module) for module in _own_modules(stage)}
    for dependency in graph[stage]["deps"]:
        path = ROOT / dependency
        if str(dependency).startswith("seq2seq_core/config/"):
            assert f"seq2seq_core.config.{path.stem}" in _settings_modules(graph[stage]["params"])
        elif str(dependency).startswith("seq2seq_core"):
            assert path.exists(), dependency
            used = TAKEN_BY_PATH.get(stage) == dependency
            assert used or any(path == file or path in file.parents for file in imported), f"{stage} does not use {dependency}"


def test_training_depends_on_no_other_stages_settings(graph: dict[str, Any]) -> None:
    code = [dependency for dependency in graph["train"]["deps"] if dependency.startswith("seq2seq_core/config")]
    assert sorted(code) == [
        f"seq2seq_core/config/{name}.py" for name in ("metric_names", "model", "objectives", "recipe", "regularization", "train")
    ]


@cache
def _import_graph() -> grimp.ImportGraph:
    return grimp.build_graph("seq2seq_core")


def _own_modules(stage: str) -> set[str]:
    """Modules that a stage reaches by imports, not passing through the shared ones."""
    reached: set[str] = set()
    waiting = [f"seq2seq_core.stages.{stage}"]
    while waiting:
        module = waiting.pop()
        if module in reached:
            continue
        reached.add(module)
        if not _changes_no_output(module):
            waiting.extend(_import_graph().find_modules_directly_imported_by(module))
        if package := LOADED_BY_NAME.get(module):
            waiting.extend(f"{package}.{name}" for name in names_of(package))
    return reached


def _settings_modules(sections: list[str]) -> set[str]:
    """The modules of some sections, with those that parts of them are in: defaults are there, which DVC does not see."""
    modules = {f"seq2seq_core.config.{section}" for section in sections}
    parts = {part for module in modules for part in _import_graph().find_modules_directly_imported_by(module)}
    return modules | {part for part in parts if part.startswith("seq2seq_core.config.") and not _changes_no_output(part)}


def _changes_no_output(module: str) -> bool:
    return module in CHANGES_NO_OUTPUT or module.startswith("seq2seq_core.tracking.")


def _file_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _sections_read(file: Path) -> set[str]:
    """Names of sections taken from an object called ``settings`` whose annotation is Settings."""
    source = file.read_text(encoding="utf-8")
    if "config.settings" not in source:
        return set()
    names = set(Settings.model_fields)
    found = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "settings"
    }
    return {name.rstrip("_") for name in found & names}
