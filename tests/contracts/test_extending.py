"""The recipes of docs/extending.md: they apply, their tests pass, and they run again what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.made_once import HALF_COMPILED
from tests.page_samples import PAGE, ROOT, Change, Recipe, recipes

COPIED = (
    "seq2seq_core", "flows", "tests", "benchmarks", "docs", "configs",
    "pyproject.toml", "dvc.yaml", "params.yaml", "prefect.yaml", "README.md",
)  # fmt: skip
MOST_FILES = {
    "An attention": 2, "A metric": 1, "A cleaning rule": 2, "A schedule": 2, "A corpus format": 3, "An objective": 4, "A stage": 4,
    "A decoding option": 2,
}  # fmt: skip
"""How many files each recipe may touch beside its test; params.yaml is the fourth of a stage with settings of its own."""
QUICK_TITLES = ("A cleaning rule", "A stage")
"""Recipes that every run of the tests applies; the others are proofs."""
TESTS_WITH_TRAINING = ("tests/learning/", "tests/pipeline/")
"""Folders of tests that a recipe names, but that take minutes."""
CASES_OF_ADDITIONS = """
LONG = ("test_code_reach.py", "test_flops.py", "test_sampling.py")
ADDITIONS = {additions!r}


def pytest_collection_modifyitems(items):
    items[:] = [
        item for item in items
        if item.path.name not in LONG or not hasattr(item, "callspec") or any(name in item.nodeid for name in ADDITIONS)
    ]
"""
"""Of the parametrised tests in long files, the cases that name an addition: the suite runs the others without it."""
DIGESTS = """
import gc
gc.disable()  # trees of syntax are many objects
import json
from pathlib import Path
from seq2seq_core.code_digests.stage_digest import digest_stage
from seq2seq_core.config.settings import load_settings
from seq2seq_core.stage_table import STAGES
settings = load_settings(Path("params.yaml"))
print(json.dumps({stage.name: digest_stage(stage, settings) for stage in STAGES if stage.name != "code"}))
"""


def in_copy(root: Path, *command: str) -> str:
    """What a command prints that has to succeed in a copy of the repository."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = kept | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def copy_repository(root: Path, *entries: str) -> Path:
    """Copies parts of the repository with its compiled modules (what a recipe changes is compiled again); returns the copy."""
    for entry in entries:
        if (ROOT / entry).is_dir():
            shutil.copytree(ROOT / entry, root / entry, ignore=shutil.ignore_patterns(HALF_COMPILED))
        else:
            shutil.copy(ROOT / entry, root / entry)
    return root


def digests_of(root: Path) -> dict[str, Any]:
    """The digests of the code that each stage reaches in a copy, by stage."""
    digests: dict[str, Any] = json.loads(in_copy(root, "-c", DIGESTS))
    return digests


@pytest.fixture(scope="module")
def digests() -> dict[str, Any]:
    return digests_of(ROOT)


def test_the_page_has_a_recipe_for_each_kind_of_addition() -> None:
    assert {recipe.title for recipe in recipes()} == MOST_FILES.keys()
    assert set(QUICK_TITLES) < MOST_FILES.keys()
    for recipe in recipes():
        assert recipe.new_tests, recipe.title
        assert recipe.covering_tests, recipe.title
        assert len(recipe.files) == MOST_FILES[recipe.title], recipe.title


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(recipe, marks=() if recipe.title in QUICK_TITLES else pytest.mark.proof, id=recipe.title)
        for recipe in recipes()
    ],
)
def test_a_recipe_applies_and_runs_again_what_it_says(recipe: Recipe, tmp_path: Path, digests: dict[str, Any]) -> None:
    root = copy_repository(tmp_path, "seq2seq_core", "dvc.yaml", "params.yaml")
    recipe.apply(root)
    new = digests_of(root)
    assert {stage for stage in digests if new[stage] != digests[stage]} == recipe.stages_that_run
    assert new.keys() - digests.keys() == ({"notes"} if recipe.title == "A stage" else set())


@pytest.mark.long
def test_all_recipes_together_pass_their_tests_and_the_linter(tmp_path: Path) -> None:
    root = copy_repository(tmp_path, *COPIED)
    for recipe in recipes():
        recipe.apply(root)
    (root / "docs" / "settings.md").write_text(
        in_copy(root, "-c", "from seq2seq_core.config.settings_page import describe_settings; print(describe_settings(), end='')"),
        encoding="utf-8",
    )
    written = {name for recipe in recipes() for name in recipe.new_tests}
    named = {name for recipe in recipes() for name in recipe.covering_tests if not name.startswith(TESTS_WITH_TRAINING)}
    contracts = {"tests/contracts/test_names.py", "tests/contracts/test_settings_page.py", "tests/contracts/test_settings_files.py"}
    additions = [Path(name).stem.removeprefix("test_") for name in sorted(written)]
    (root / "conftest.py").write_text(CASES_OF_ADDITIONS.format(additions=additions), encoding="utf-8")
    report = in_copy(root, "-m", "pytest", "-p", "no:cacheprovider", "--verbose", *sorted(written | named | contracts))
    assert re.search(r"\d+ passed", report)
    for case in (
        "digest_of_train[{'model': {'attention': 'scaled_dot'}}]",
        "'objective': 'focal'",
        "pytorch_counts[gru, attention scaled_dot-0]",
    ):
        assert case in report, "the choice of cases keeps what it is for"
    in_copy(root, "-m", "ruff", "check", "--no-cache", "seq2seq_core", "tests")
    in_copy(root, "-m", "ruff", "format", "--no-cache", "--check", "seq2seq_core", "tests")


def test_a_change_that_does_not_fit_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = [1, 2]\ny = [1]\n", encoding="utf-8")
    Change("a.py", "y = […]", "y = […, 3]").apply(tmp_path)
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == "x = [1, 2]\ny = [1, 3]\n"
    with pytest.raises(AssertionError, match="0 times"):
        Change("a.py", "z = […]", "z = []").apply(tmp_path)


def test_the_table_of_the_page_says_what_the_recipes_do() -> None:
    rows = dict(re.findall(r"^\| \[([\w ]+)\]\(#[\w-]+\) \| (\d)", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    titles = {recipe.title.removeprefix("An ").removeprefix("A "): recipe for recipe in recipes()}
    assert rows.keys() == titles.keys()
    for name, recipe in titles.items():
        assert int(rows[name]) == len(recipe.files - {"params.yaml"}), name
