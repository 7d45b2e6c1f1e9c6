"""Weights at earlier validations, which many checkpoints share: one file for each, named by its content.

A file is never overwritten with other content, so that writing a checkpoint cannot damage an earlier one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

import safetensors.torch
from torch import Tensor

from seq2seq_core.training.state.sealed_files import FileSeal, write_file
from seq2seq_core.training.state.state_tensors import LAST_WEIGHTS

KEPT_PATTERN = "last-*.safetensors"


def split_tensors(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """The tensors that belong to one checkpoint alone, and the weights at each validation by the prefix of their names.

    Args:
        tensors: all tensors of a training state.
    """
    own, kept = dict[str, Tensor](), dict[str, dict[str, Tensor]]()
    for key, value in tensors.items():
        if key.startswith(LAST_WEIGHTS):
            step, _, name = key.removeprefix(LAST_WEIGHTS).partition(".")
            kept.setdefault(f"{LAST_WEIGHTS}{step}.", {})[name] = value
        else:
            own[key] = value
    return own, kept


def write_once(folder: Path, weights: dict[str, Tensor], whole: Collection[str]) -> FileSeal:
    """Stores weights, unless their file is known to be intact; returns the seal of the file.

    Args:
        folder: folder of the training state.
        weights: in main memory, contiguous.
        whole: names of the files that are known to be intact.

    Raises:
        StorageFault: the disk is full.
    """
    content = safetensors.torch.save(weights)
    digest = hashlib.sha256(content).hexdigest()
    seal = FileSeal(name=KEPT_PATTERN.replace("*", digest[:16]), sha256=digest)
    if seal.name not in whole:
        write_file(folder, seal.name, content)
    return seal
