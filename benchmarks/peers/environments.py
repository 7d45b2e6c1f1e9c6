"""The virtual environments of other toolkits: one each, made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

TORCH = f"torch=={torch.__version__.partition('+')[0]}"
HUGGING_FACE = [TORCH, "transformers==5.24.0", "accelerate"]
MARIAN = ["pymarian==1.12.42", "numpy"]


def environment(name: str, packages: Sequence[str], folder: Path) -> Path:
    """The Python of a toolkit's virtual environment, which is made if it is missing.

    Args:
        name: of the environment.
        packages: what it needs; none: this environment does.
        folder: of the environments.
    """
    if not packages:
        return Path(sys.executable)
    home = folder / f"venv-{name}"
    marker = home / "complete"
    if not marker.exists():
        print(f"making the environment {name}: {' '.join(packages)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages], check=True)
        marker.touch()
    return home / "bin" / "python"
