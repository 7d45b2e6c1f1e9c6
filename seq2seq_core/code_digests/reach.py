"""The modules of this package that a stage reaches through imports, without those that only other settings need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from seq2seq_core.code_digests.features import is_needed, is_silent, parts_in_use
from seq2seq_core.code_digests.settings_values import defaults_in_use
from seq2seq_core.code_digests.syntax import ModuleMeaning, read_meaning
from seq2seq_core.reproducibility import digest

PACKAGE = "seq2seq_core"


def digest_reached_code(roots: Iterable[str], features: frozenset[str]) -> dict[str, str]:
    """SHA-256 of the meaning of each reached module that has statements, by name, sorted.

    Of settings classes in other modules than the roots, whose values nobody digests, the defaults count too.

    Args:
        roots: absolute names of modules.
        features: what the settings use, see :mod:`~seq2seq_core.code_digests.features`.
    """
    own = list(roots)
    reached = [name for name in reached_modules(own, features) if _read(name).statements]
    return {name: _digest(name, with_defaults=has_settings(name) and name not in own) for name in reached}


def reached_modules(roots: Iterable[str], features: frozenset[str]) -> list[str]:
    """The names of the modules that are reached, sorted; silent ones are neither listed nor followed.

    Args:
        roots: absolute names of modules.
        features: what the settings use.
    """
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in reached or is_silent(name) or not is_needed(name, features):
            continue
        reached.add(name)
        waiting.extend(_imported(name))
        waiting.extend(parts_in_use(name, features))
    return sorted(reached)


def resolve_import(module: str, name: str) -> str:
    """The module that ``from module import name`` reads: a module of that name, or the one that holds the name.

    Args:
        module: the absolute name of a module of this package.
        name: the imported name; empty for ``import module``.
    """
    inner = f"{module}.{name}" if name else module
    return inner if name and find_module(inner) is not None else module


@cache
def find_module(name: str) -> Path | None:
    """The file of a module of this package, or None; nothing is imported.

    Args:
        name: its absolute name.
    """
    path = package_folder().parent.joinpath(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _digest(name: str, with_defaults: bool) -> str:
    """SHA-256 of the meaning of a module, and of the defaults of its settings classes where these count."""
    return _digest_meaning(_read(name), defaults_in_use(import_module(name)) if with_defaults else {})


def _digest_meaning(meaning: ModuleMeaning, defaults: Mapping[str, Mapping[str, str]]) -> str:
    imports = [[one.module, one.name, one.bound] for one in meaning.imports]
    return digest([meaning.statements, imports, defaults])


def digest_of_text(text: str, name: str) -> str | None:
    """The digest that a module would have with another text, such as an earlier one; None: the text is not valid Python.

    Defaults of settings classes are left out: only an imported module tells them.

    Args:
        text: of the module.
        name: its absolute name.
    """
    path = find_module(name)
    try:
        meaning = read_meaning(text, name, path is not None and path.name == "__init__.py", has_settings(name))
    except SyntaxError:
        return None
    return _digest_meaning(meaning, {})


@cache
def _imported(name: str) -> tuple[str, ...]:
    """The modules of this package that a module imports or names in a string, and the package around it."""
    around = [name.rpartition(".")[0]] if "." in name else []
    meaning = _read(name)
    imported = (resolve_import(one.module, one.name) for one in meaning.imports if one.module.partition(".")[0] == PACKAGE)
    named = (text for text in meaning.names if text.startswith(f"{PACKAGE}.") and find_module(text) is not None)
    return (*around, *imported, *named)


@cache
def _read(name: str) -> ModuleMeaning:
    path = find_module(name)
    if path is None:
        raise ModuleNotFoundError(f"{name}: no such module in {package_folder()}")
    return read_meaning(path.read_text(encoding="utf-8"), name, path.name == "__init__.py", has_settings(name))


def has_settings(name: str) -> bool:
    """Whether a module declares settings, whose values are digested elsewhere."""
    return name.startswith(f"{PACKAGE}.config.")


@cache
def package_folder() -> Path:
    """The folder of the installed package; found without importing it."""
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])
