"""Modules that a library imports although this program hardly uses them: each is loaded when something first reads it.

``importlib.util.LazyLoader`` would load a package as soon as one of its submodules is imported, and on Python 3.11 two threads may
see a half-loaded module.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


def load_late(*names: str) -> None:
    """Makes later imports of these modules wait until a name is read from them; modules that are loaded already stay so.

    Args:
        names: absolute names of modules, which need not be installed.
    """
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    _FINDER.names.update(names)


class _LateModule(ModuleType):
    """A module that executes its code when a name is missing; submodules are imported without it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._late_loader: Loader | None = None
        self._late_lock = threading.RLock()

    def wait_with(self, loader: Loader) -> None:
        """Leaves the execution to the first read of a missing name.

        Args:
            loader: executes the code.
        """
        self._late_loader = loader

    def __getattr__(self, name: str) -> Any:
        with self._late_lock:
            loader, self._late_loader = self._late_loader, None  # None too while this thread executes the code
            if loader is not None:
                try:
                    loader.exec_module(self)
                except BaseException:
                    self._late_loader = loader
                    raise
        try:
            return self.__dict__[name]
        except KeyError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None


class _LateLoader(Loader):
    """Makes a module without executing its code."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """See :class:`importlib.abc.Loader`."""
        return _LateModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """See :class:`importlib.abc.Loader`."""
        assert isinstance(module, _LateModule)
        assert module.__spec__ is not None
        module.__loader__ = module.__spec__.loader = self.loader
        module.wait_with(self.loader)


class _LateFinder(MetaPathFinder):
    """Finds the modules to load late; others are left to the finders behind it."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See :class:`importlib.abc.MetaPathFinder`."""
        spec = PathFinder.find_spec(name, path, target) if name in self.names else None
        if spec is not None and spec.loader is not None:
            spec.loader = _LateLoader(spec.loader)
        return spec


_FINDER = _LateFinder()


def is_loaded(name: str) -> bool:
    """Whether a module's code has been executed in this process.

    Args:
        name: its absolute name.
    """
    module = sys.modules.get(name)
    return module is not None and getattr(module, "_late_loader", None) is None
