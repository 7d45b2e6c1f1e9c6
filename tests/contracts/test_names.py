"""A module is found by its name: each name stands once, no folder is crowded, and every log is spelt alike."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("seq2seq_core", "flows")
MOST_MODULES = 20
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc"}
STAGES, STAGE_FOLDERS = "stages", {"stages", "config", "cli"}
"""A module of a stage may be named as the stage in each of these folders."""


def modules_below(*folders: Path) -> list[Path]:
    """Every module, ``__init__.py`` left out."""
    return sorted(path for folder in folders for path in folder.rglob("*.py") if path.name != "__init__.py")


def repeated_names(root: Path) -> dict[str, list[str]]:
    """The modules whose names stand more than once, but for stage names where these may repeat."""
    stages = {path.stem for path in (root / "seq2seq_core" / STAGES).glob("*.py") if path.stem != "__init__"}
    places = defaultdict[str, list[str]](list)
    for path in modules_below(*(root / package for package in PACKAGES)):
        if not (path.stem in stages and path.parent.name in STAGE_FOLDERS):
            places[path.stem].append(path.relative_to(root).as_posix())
    return {name: paths for name, paths in places.items() if len(paths) > 1 or name in stages}


def crowded_folders(*folders: Path) -> dict[str, int]:
    """The folders that have too many modules, with their number."""
    counts = Counter(path.parent for path in modules_below(*folders))
    return {folder.as_posix(): number for folder, number in counts.items() if number > MOST_MODULES}


def nameless(*folders: Path) -> list[str]:
    """The modules and folders whose names say nothing."""
    return [path.as_posix() for folder in folders for path in sorted(folder.rglob("*")) if path.stem in NAMELESS]


def other_loggers(*folders: Path) -> list[str]:
    """The module loggers that are not spelt ``logger = logging.getLogger(__name__)``."""
    found = []
    for path in modules_below(*folders):
        source = path.read_text(encoding="utf-8")
        for statement in ast.parse(source).body if "getLogger(" in source else ():
            if "getLogger(" in (text := ast.unparse(statement)) and isinstance(statement, ast.Assign | ast.AnnAssign):
                found += [f"{path}: {text}"] if text != "logger = logging.getLogger(__name__)" else []
    return found


def test_each_module_name_stands_once() -> None:
    assert repeated_names(ROOT) == {}


def test_no_folder_is_crowded() -> None:
    assert crowded_folders(*(ROOT / folder for folder in (*PACKAGES, "tests"))) == {}


def test_every_module_has_a_name_that_says_something() -> None:
    assert nameless(*(ROOT / folder for folder in (*PACKAGES, "tests", "benchmarks"))) == []


def test_every_module_spells_its_logger_alike() -> None:
    assert other_loggers(*(ROOT / package for package in PACKAGES)) == []


def test_what_breaks_these_rules_is_seen(tmp_path: Path) -> None:
    written = {
        "seq2seq_core/stages/train.py": "", "seq2seq_core/config/train.py": "", "flows/train.py": "",
        "seq2seq_core/a/reading.py": "", "flows/reading.py": "", "seq2seq_core/a/utils.py": "",
        "flows/spelt.py": "import logging\nLOGGER = logging.getLogger(__name__)\n",
        **{f"flows/many/m{number}.py": "" for number in range(MOST_MODULES + 1)},
    }  # fmt: skip
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    folders = [tmp_path / package for package in PACKAGES]
    assert repeated_names(tmp_path) == {
        "reading": ["flows/reading.py", "seq2seq_core/a/reading.py"],
        "train": ["flows/train.py"],
    }
    assert crowded_folders(*folders) == {(tmp_path / "flows" / "many").as_posix(): MOST_MODULES + 1}
    assert nameless(*folders) == [(tmp_path / "seq2seq_core" / "a" / "utils.py").as_posix()]
    assert other_loggers(*folders) == [f"{tmp_path / 'flows' / 'spelt.py'}: LOGGER = logging.getLogger(__name__)"]
