from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path

import pytest

from seq2seq_core.imports.late_modules import is_loaded, load_late


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The name of a package that is loaded late; it has a submodule, and notes every execution of its own code in ``sys.argv``."""
    name = f"late_{request.node.name}"
    (tmp_path / name).mkdir()
    code = f"import sys, time\nsys.argv.append({name!r})\ntime.sleep(0.1)\nfrom {name} import inner\nvalue = inner.value + 1\n"
    (tmp_path / name / "__init__.py").write_text(code, encoding="utf-8")
    (tmp_path / name / "inner.py").write_text("value = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    load_late(name)
    return name


def test_a_module_is_loaded_by_the_first_read(package: str) -> None:
    module = importlib.import_module(package)
    assert not is_loaded(package)
    assert module.value == 2
    assert is_loaded(package)
    assert module.__spec__ is not None
    assert module.__spec__.loader is module.__loader__
    assert importlib.import_module(package).value == 2
    assert sys.argv.count(package) == 1


def test_a_submodule_is_imported_without_its_package(package: str) -> None:
    assert importlib.import_module(f"{package}.inner").value == 1
    assert not is_loaded(package)


def test_threads_that_read_at_once_see_a_whole_module(package: str) -> None:
    module, seen = importlib.import_module(package), []
    threads = [threading.Thread(target=lambda: seen.append(module.value)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [2] * 4
    assert sys.argv.count(package) == 1


def test_a_missing_name_is_an_attribute_error_as_of_any_module(package: str) -> None:
    module = importlib.import_module(package)
    with pytest.raises(AttributeError, match=f"^module '{package}' has no attribute 'other'$"):
        _ = module.other


def test_a_module_that_fails_to_load_is_tried_again(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(package)
    with monkeypatch.context() as patch:
        patch.setattr("time.sleep", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            _ = module.value
    assert not is_loaded(package)
    assert module.value == 2


def test_what_is_not_installed_stays_so() -> None:
    load_late("no_such_module_anywhere")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        importlib.import_module("no_such_module_anywhere")
