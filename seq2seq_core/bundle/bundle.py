"""The model bundle: one folder with everything that turns sources into text, and the digests of its inputs. No pickle.

``config.json``, ``model.safetensors``, ``target.model``, and ``source.model`` unless the sources are frames.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import seq2seq_core
from seq2seq_core import atomic
from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.model import ModelSection
from seq2seq_core.device import resolve_device
from seq2seq_core.dvc_files import how_to_make
from seq2seq_core.errors import BundleError
from seq2seq_core.modeling.seq2seq import Seq2Seq, build_model
from seq2seq_core.normal_form import AS_IT_IS, NormalForm
from seq2seq_core.tokenization.manifest import file_digest
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import TagColumns, Tags

FORMAT_VERSION = 1
CONFIG_FILE, WEIGHTS_FILE, SOURCE_FILE, TARGET_FILE = "config.json", "model.safetensors", "source.model", "target.model"
INITIAL_BUNDLE = "initial_bundle"
"""The name, among the data digests, of the bundle that a training started from."""


class BundleConfig(BaseModel):
    """The configuration of the model: enough to build it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ModelSection
    """The architecture."""
    source_vocabulary_size: int
    """Number of source ids; 0 for a source of frames."""
    target_vocabulary_size: int
    """Number of target ids."""
    joint: bool
    """Whether both sides share one vocabulary."""
    frame_width: int = 0
    """Features of a source frame; 0: the sources are ids."""
    tags: TagColumns = TagColumns()
    """The columns whose values are symbols before the ids."""
    normal_form: NormalForm = AS_IT_IS
    """The normal form of the training texts, applied to every text: sources, targets that are scored or forced, tags."""
    max_source_tokens: int | None = None
    """Length to which sources are cut, in tokens or frames, as in training; None: only the decoding options limit it."""
    keeps_source_end: bool = False
    """Whether a cut source keeps its end instead of its beginning."""
    audio: FrontEnd | None = None
    """How recordings become frames; None if the sources are ids or frames of another origin."""

    @property
    def payload(self) -> tuple[str, ...]:
        """The names of the bundle's files beside ``config.json``."""
        return (WEIGHTS_FILE, TARGET_FILE) if self.frame_width else (WEIGHTS_FILE, SOURCE_FILE, TARGET_FILE)


class BundleFile(BaseModel):
    """The whole of ``config.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    """Version of the folder's layout."""
    made_by: str
    """The version of this package that wrote it."""
    config: BundleConfig
    """The configuration of the model."""
    decoding: DecodingOptions | None = None
    """The decoding options of the export, the defaults of all its users; None: the defaults of the class."""
    trained_digest: str | None = None
    """Digest of the trained bundle that this one was exported from; None: it is not an export."""
    tokenizers: dict[str, str]
    """The kind of subword model of each side that has one."""
    data_digests: dict[str, str]
    """SHA-256 of the tokenised files that it was trained on, by name, and of the bundle that its training started from, if any."""
    digests: dict[str, str]
    """SHA-256 of the bundle's other files, by name."""


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    Attributes:
        model: in evaluation mode, on its device.
        source_tokenizer: text to source ids; None where the sources are frames.
        target_tokenizer: target ids to text.
        config: the configuration of the model.
        data_digests: SHA-256 of the tokenised files that it was trained on, by name.
        device: the device of the model.
        decoding: the default decoding options of all its users; None: it names none.
    """

    model: Seq2Seq
    source_tokenizer: SubwordModel | None
    target_tokenizer: SubwordModel
    config: BundleConfig
    data_digests: dict[str, str]
    device: torch.device
    decoding: DecodingOptions | None = None

    @property
    def source_tags(self) -> Tags:
        """Turns the columns of a pair into the tag ids before its source."""
        tags = self.config.tags
        return Tags(tags.source, self.source_tokenizer, tags.separator, tags.unknown, self.config.normal_form)

    @property
    def target_tags(self) -> Tags:
        """Turns the columns of a pair into the tag ids that its target begins with."""
        tags = self.config.tags
        return Tags(tags.target, self.target_tokenizer, tags.separator, tags.unknown, self.config.normal_form)


def save_bundle(
    folder: Path,
    model: nn.Module,
    settings: BundleConfig,
    source_model: SubwordModel | None,
    target_model: SubwordModel,
    digests: Mapping[str, str],
) -> None:
    """Writes a bundle; the same bytes for the same weights and settings. An older one stays until the new one is complete.

    Args:
        folder: the output folder; replaced.
        model: built from ``settings``.
        settings: the configuration of the model.
        source_model: text to source ids; None where the sources are frames.
        target_model: target ids to text.
        digests: SHA-256 of the tokenised files that it was trained on, by name.
    """
    with atomic.new_folder(folder) as draft:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _unique_tensors(model).items()}
        save_file(tensors, draft / WEIGHTS_FILE)
        if source_model is not None:
            source_model.save(draft / SOURCE_FILE)
        target_model.save(draft / TARGET_FILE)
        shutil.copymode(draft / TARGET_FILE, draft / WEIGHTS_FILE)  # only the owner can read what safetensors writes
        content = BundleFile(
            made_by=seq2seq_core.__version__,
            config=settings,
            tokenizers={**({} if source_model is None else {"source": source_model.kind}), "target": target_model.kind},
            data_digests=dict(sorted(digests.items())),
            digests={name: file_digest(draft / name) for name in settings.payload},
        )
        write_config(draft, content)


def write_config(folder: Path, content: BundleFile) -> None:
    """Writes ``config.json`` of a bundle.

    Args:
        folder: the bundle's folder.
        content: the content of the file.
    """
    (folder / CONFIG_FILE).write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8")


def load_bundle(folder: Path, device: torch.device | str = "cpu") -> Bundle:
    """The bundle in a folder, its files checked against their digests.

    Args:
        folder: what :func:`save_bundle` wrote.
        device: a device, or ``auto``.

    Raises:
        BundleError: a file is missing, changed or of another format, or the weights do not fit the settings.
        UserError: there is no such device.
    """
    place = resolve_device(str(device))
    content = read_config(folder)
    config = content.config
    check_files(folder, content)
    source_tokenizer, target_tokenizer = None, SubwordModel.load(folder / TARGET_FILE)
    if not config.frame_width:
        source_tokenizer = SubwordModel.load(folder / SOURCE_FILE)
        _check_size(folder / SOURCE_FILE, source_tokenizer, config.source_vocabulary_size)
    _check_size(folder / TARGET_FILE, target_tokenizer, config.target_vocabulary_size)
    model = build_model(
        config.model, config.source_vocabulary_size, config.target_vocabulary_size, config.joint, frame_width=config.frame_width
    )
    _load_weights(model, folder / WEIGHTS_FILE)
    return Bundle(model.to(place).eval(), source_tokenizer, target_tokenizer, config, content.data_digests, place, content.decoding)


def check_files(folder: Path, content: BundleFile) -> None:
    """Checks a bundle's files against the digests in its ``config.json``.

    Args:
        folder: the bundle's folder.
        content: the content of its ``config.json``.

    Raises:
        BundleError: a file is missing or has another digest.
    """
    for name in content.config.payload:
        _check_digest(folder / name, content.digests.get(name, ""), content.config.payload)


def read_config(folder: Path) -> BundleFile:
    """The content of ``config.json`` of a bundle.

    Args:
        folder: what :func:`save_bundle` wrote.

    Raises:
        BundleError: the file is missing or of another format.
    """
    path = folder / CONFIG_FILE
    try:
        return BundleFile.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(f"{folder}: not a model bundle, it has no {CONFIG_FILE}; {how_to_make(folder, 'train')}") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'content'}: {fault['msg']}" for fault in error.errors())
        raise BundleError(f"{path}: expected a bundle of format version {FORMAT_VERSION}, but {faults}") from None


def bundle_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a bundle's files: the bundle's name in every record.

    Args:
        folder: what :func:`save_bundle` wrote.

    Raises:
        BundleError: the folder holds no file.
    """
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    if not files:
        raise BundleError(f"{folder}: no such model bundle; {how_to_make(folder, 'train')}")
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(f"{name}\0{file_digest(path)}\n".encode())
    return digest.hexdigest()


def _unique_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The model's state by name; a tensor with several names appears only under the first."""
    state = cast(dict[str, Tensor], model.state_dict(keep_vars=True))
    first_names = {id(tensor): name for name, tensor in reversed(state.items())}
    return {name: tensor for name, tensor in state.items() if first_names[id(tensor)] == name}


def _load_weights(model: nn.Module, path: Path) -> None:
    """Copies the stored weights into the model; all names and shapes must match."""
    try:
        stored = load_file(path)
    except SafetensorError as error:
        raise BundleError(f"{path}: cannot be read ({error}); expected weights in the safetensors format") from None
    wanted = _unique_tensors(model)
    found = {name: tuple(tensor.shape) for name, tensor in stored.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in wanted.items()}
    if faults := [
        f"{name} is {found.get(name, 'missing')}, expected {expected.get(name, 'nothing of that name')}"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]:
        raise BundleError(f"{path}: the weights do not fit the settings in {CONFIG_FILE}: {'; '.join(faults[:5])}")
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(stored[name])


def _check_digest(path: Path, expected: str, payload: Sequence[str]) -> None:
    if not path.is_file():
        raise BundleError(f"{path}: no such file; a bundle holds {CONFIG_FILE}, {', '.join(payload)}")
    if (found := file_digest(path)) != expected:
        raise BundleError(f"{path}: damaged or exchanged: its SHA-256 is {found}, expected {expected or 'one in ' + CONFIG_FILE}")


def _check_size(path: Path, tokenizer: SubwordModel, expected: int) -> None:
    if tokenizer.vocabulary_size != expected:
        raise BundleError(f"{path}: {tokenizer.vocabulary_size} entries, expected {expected} by {CONFIG_FILE}")
