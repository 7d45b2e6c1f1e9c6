"""Frozen parts of a model: named parts, or prefixes of parameter names."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from seq2seq_core.errors import UserError

EMBEDDINGS = ("source_embedding", "target_embedding")
"""The modules of the part ``embedding``."""


def freeze_parts(model: nn.Module, parts: Sequence[str]) -> None:
    """Freezes the named parts and trains all others.

    Args:
        model: changed in place: ``requires_grad`` of its parameters is set, their gradients are removed.
        parts: see ``train.freeze``.

    Raises:
        UserError: see :func:`frozen_parameters`.
    """
    frozen = frozen_parameters(model, parts)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in frozen)
        parameter.grad = None


def frozen_parameters(model: nn.Module, parts: Sequence[str]) -> set[str]:
    """The names of the parameters in the given parts.

    Args:
        model: the model to freeze.
        parts: see ``train.freeze``.

    Raises:
        UserError: a part names no parameter, or nothing is left to train.
    """
    prefixes = {part: EMBEDDINGS if part == "embedding" else (part,) for part in parts}
    names = [name for name, _ in model.named_parameters()]
    unknown = [part for part in parts if not any(_is_part(name, prefix) for name in names for prefix in prefixes[part])]
    if unknown:
        raise UserError(
            f"train.freeze: {', '.join(map(repr, unknown))} names no parameter of this model; expected some of "
            f"{', '.join(known_parts(model))}, or a longer beginning of a parameter's name, such as {_example(names)}"
        )
    frozen = {name for name in names if any(_is_part(name, prefix) for group in prefixes.values() for prefix in group)}
    if len(frozen) == len(names):
        raise UserError(f"train.freeze: {', '.join(map(repr, parts))} leaves nothing to train, expected a part that learns")
    return frozen


def known_parts(model: nn.Module) -> list[str]:
    """The parts of a model that have parameters."""
    found = list(dict.fromkeys(name.partition(".")[0] for name, _ in model.named_parameters()))
    return ["embedding", *found] if set(EMBEDDINGS) & set(found) else found


def _is_part(name: str, prefix: str) -> bool:
    """Whether a parameter has the given name, or is below it."""
    return name == prefix or name.startswith(f"{prefix}.")


def _example(names: Sequence[str]) -> str:
    """An example of a prefix: the first three parts of a parameter's name."""
    deep = [name for name in names if name.count(".") >= 3] or list(names)
    return ".".join(deep[0].split(".")[:3])
