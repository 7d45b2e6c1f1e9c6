"""The libraries of the extra ``import``, loaded only when a corpus is imported."""

from __future__ import annotations

import importlib
from types import ModuleType

from seq2seq_core.errors import UserError, first_line

EXTRA = "pip install 'seq2seq-flows[import]'"


def load_library(module: str) -> ModuleType:
    """A module of a library that only imports need.

    Args:
        module: its dotted name.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UserError(
            f"this import needs the package {package} ({first_line(error)}); expected an installation with the extra "
            f"`import`: {EXTRA}"
        ) from None
