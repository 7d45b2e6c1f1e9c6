"""``model.safetensors`` of a bundle: its header is compared with the configuration before anything is allocated.

A file begins with the length of its header (8 bytes, little-endian) and the header: a JSON object with the type, the shape and the
place of each tensor. The values follow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seq2seq_core.bundle.config_file import CONFIG_FILE, WEIGHTS_FILE, BundleConfig
from seq2seq_core.errors import BundleError, first_line, library_errors
from seq2seq_core.json_text import JsonError, parse_object
from seq2seq_core.modeling.ensemble import AnyModel, Ensemble
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq

MAX_HEADER_BYTES = 1 << 24
_LENGTH_BYTES = 8
_TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}
_MAX_SHOWN = 5


@dataclass(frozen=True)
class TensorForm:
    """The type and the shape of a tensor.

    Attributes:
        dtype: PyTorch's type.
        shape: sizes of its axes.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Size of its values."""
        return prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        kind = "" if self.dtype == torch.float32 else f"{str(self.dtype).removeprefix('torch.')} "
        return f"{kind}{self.shape}"


_DRAWS = (Tensor.normal_, nn.init.normal_)


class _NoDraws(TorchFunctionMode):
    """Leaves out normal draws, which a tensor without values does not take, but for which PyTorch loads its compiler (a second)."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """The tensor as it is for a draw, else what the function returns."""
        named = kwargs or {}
        return (*args, named.get("tensor"))[0] if func in _DRAWS else func(*args, **named)


def unique_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The model's state by name; a tensor with several names appears only under the first."""
    state = cast(dict[str, Tensor], model.state_dict(keep_vars=True))
    first_names = {id(tensor): name for name, tensor in reversed(state.items())}
    return {name: tensor for name, tensor in state.items() if first_names[id(tensor)] == name}


def build_from(config: BundleConfig) -> AnyModel:
    """A model, or an ensemble, with fresh weights.

    Args:
        config: the configuration of the model.

    Raises:
        ValueError: settings of the model do not fit the vocabularies.
    """
    return build_member(config) if config.members == 1 else Ensemble([build_member(config) for _ in range(config.members)])


def build_member(config: BundleConfig) -> Seq2Seq:
    """One model with fresh weights, whatever the number of members.

    Args:
        config: the configuration of the model.

    Raises:
        ValueError: settings of the model do not fit the vocabularies.
    """
    if config.speech is not None:
        from seq2seq_core.modeling.speech_model import build_speech_model

        return build_speech_model(config.model, config.source_vocabulary_size, config.speech.num_mels, config.num_source_tags)
    sizes = (config.source_vocabulary_size, config.target_vocabulary_size)
    return build_model(config.model, *sizes, config.joint, config.frame_width, config.num_source_tags, config.frame_layout)


def check_header(folder: Path, config: BundleConfig) -> None:
    """Compares the header of a bundle's weights with the configuration; allocates nothing that either of them names.

    Args:
        folder: the bundle's folder.
        config: the configuration of the model.

    Raises:
        BundleError: the header cannot be read, or a tensor is missing, surplus or of another type or shape.
    """
    try:
        with torch.device("meta"), _NoDraws():  # tensors without values
            expected = {name: TensorForm(one.dtype, tuple(one.shape)) for name, one in unique_tensors(build_from(config)).items()}
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"{folder / CONFIG_FILE}: config.model: no such model can be built: {first_line(error)}") from None
    path = folder / WEIGHTS_FILE
    found = read_header(path)
    if faults := [
        f"{name} is {found.get(name, 'missing')}, expected {expected.get(name, 'nothing of that name')}"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]:
        shown = "; ".join(faults[:_MAX_SHOWN])
        raise BundleError(f"{path}: the weights do not fit the settings in {CONFIG_FILE}: {shown}")


def read_header(path: Path) -> dict[str, TensorForm]:
    """The form of each tensor in a file of weights; reads its header only.

    Args:
        path: the file.

    Raises:
        BundleError: the file has no such header, or its size does not fit it.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size - _LENGTH_BYTES
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if size < 0 or length > min(size, MAX_HEADER_BYTES):
            raise _unreadable(path, f"its header would have {length:,} bytes" if size >= 0 else "it is too short")
        raw = file.read(length)
    try:
        entries = parse_object(raw.decode("utf-8"))
    except (UnicodeDecodeError, JsonError) as error:
        raise _unreadable(path, f"its header is {error}" if isinstance(error, JsonError) else "its header is no text") from None
    entries.pop("__metadata__", None)
    end, forms = 0, {}
    for name, (begin, stop, form) in sorted(
        ((name, _read_entry(path, name, entry)) for name, entry in entries.items()), key=lambda item: item[1][:2]
    ):
        if begin != end or stop - begin != form.num_bytes:
            raise _unreadable(path, f"{name}: data_offsets {begin} to {stop} do not fit {form} at {end}")
        end, forms[name] = stop, form
    if end != size - length:
        raise _unreadable(path, f"its tensors take {end:,} bytes, and it holds {size - length:,}")
    return forms


def load_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a bundle's weights, whose header was checked.

    Args:
        path: the file.

    Raises:
        BundleError: the file cannot be read, or a weight is not finite.
    """
    with library_errors(lambda error: _unreadable(path, first_line(error)), SafetensorError):
        stored: dict[str, Tensor] = load_file(path)
    check_finite(stored, path)
    return stored


def check_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuses weights that are not finite.

    Args:
        tensors: the weights, by name.
        path: their file.

    Raises:
        BundleError: a weight is infinite or not a number.
    """
    for name, tensor in tensors.items():
        if not bool((finite := torch.isfinite(tensor)).all()):
            raise BundleError(f"{path}: {name}: {int((~finite).sum())} of {tensor.numel()} weights are not finite numbers")


def _read_entry(path: Path, name: str, entry: Any) -> tuple[int, int, TensorForm]:
    """Begin, end and form of a tensor."""
    try:
        dtype, shape, (begin, end) = _TYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
        if len(entry) != 3 or not all(type(number) is int and number >= 0 for number in (*shape, begin, end)):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        expected = f"dtype (one of {', '.join(_TYPES)}), shape and data_offsets"
        raise _unreadable(path, f"{name}: expected {expected}, got {str(entry)[:80]}") from None
    return begin, end, TensorForm(dtype, shape)


def _unreadable(path: Path, reason: str) -> BundleError:
    return BundleError(f"{path}: cannot be read ({reason}); expected weights in the safetensors format")
