"""Sequence-to-sequence models: data checks, tokenisation, training, decoding, evaluation, registration, serving.

``seq2seq_core.load("models:/dates@champion")`` gives a model for use in Python, see :func:`seq2seq_core.serving.loading.load`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seq2seq_core.serving.loading import load as load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """Imports what the package offers when it is asked for: an import of the package itself loads no library."""
    if name == "load":
        return importlib.import_module("seq2seq_core.serving.loading").load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
