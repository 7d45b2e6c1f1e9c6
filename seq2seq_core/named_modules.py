"""Modules found by file name, such as metrics: a new file in the package's folder is a new choice.

Names are read from the folder, so that only requested modules are imported.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.util import find_spec
from types import ModuleType


def names_of(package: str) -> tuple[str, ...]:
    """The names of a package's modules, sorted; none of them is imported.

    Args:
        package: its absolute name, such as ``seq2seq_core.evaluation.metrics``.
    """
    spec = find_spec(package)
    assert spec is not None
    names = (module.name for module in pkgutil.iter_modules(spec.submodule_search_locations))
    return tuple(sorted(name for name in names if name.isidentifier() and not name.startswith("_")))


def load(package: str, name: str) -> ModuleType:
    """A module of a package, imported.

    Args:
        package: its absolute name.
        name: one of :func:`names_of`.
    """
    return importlib.import_module(f"{package}.{name}")
