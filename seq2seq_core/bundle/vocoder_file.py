"""The weights of the network in a served bundle that makes sound of frames."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from seq2seq_core.audio.vocos.vocos_files import VocosFolder, build_network
from seq2seq_core.audio.vocos.vocos_vocoder import VocosVocoder
from seq2seq_core.bundle.config_file import VOCODER_FILE
from seq2seq_core.bundle.stored_vocoder import StoredVocoder
from seq2seq_core.errors import BundleError, UserError


def write_vocoder(folder: Path, found: VocosFolder) -> StoredVocoder:
    """Writes the weights, the same bytes for the same weights, and describes them.

    Args:
        folder: of the bundle.
        found: the files that they are in.

    Raises:
        UserError: the weights cannot be used.
    """
    weights = found.load().state_dict()
    save_file({name: values.contiguous() for name, values in weights.items()}, folder / VOCODER_FILE)
    return StoredVocoder(name="vocos", form=found.form, source_digest=found.digest)


def read_vocoder(folder: Path, stored: StoredVocoder) -> VocosVocoder:
    """The vocoder of a bundle.

    Args:
        folder: of the bundle, whose files were checked against their digests.
        stored: describes it.

    Raises:
        BundleError: the weights are not those of the description.
    """
    path = folder / VOCODER_FILE
    try:
        return VocosVocoder(build_network(stored.form, load_file(path), path), stored.source_digest)
    except SafetensorError as error:
        raise BundleError(f"{path}: no tensors: {error}") from None
    except UserError as error:
        raise BundleError(str(error)) from None
