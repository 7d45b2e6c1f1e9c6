"""The served bundle, which is evaluated, registered and served: a trained bundle with its decoding options and its engine.

It is a bundle like any other. Its ``config.json`` also holds the options, the digest of the trained bundle, and the engine.
CTranslate2 has a file of converted weights in it.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.speech.vocoder import GriffinLim
from seq2seq_core.audio.vocos.vocos_files import VocosFolder
from seq2seq_core.bundle.bundle import check_bundle
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import (
    ADDED_BY_EXPORT,
    CONFIG_FILE,
    ENGINE_FILE,
    LEXICON_FILE,
    VOCODER_FILE,
    BundleFile,
    StoredEngine,
    read_config,
    write_config,
)
from seq2seq_core.bundle.lexicon_file import KnownTarget, Question, write_lexicon
from seq2seq_core.bundle.stored_calibrator import StoredCalibrator
from seq2seq_core.bundle.vocoder_file import write_vocoder
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.dvc_files import how_to_make
from seq2seq_core.errors import BundleError, MissingInput
from seq2seq_core.tokenization.manifest import file_digest

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConvertedModel:
    """A model as an engine reads it.

    Attributes:
        engine: the engine, and the type of the weights.
        content: the weights; None: the engine makes its own of the bundle's weights.
    """

    engine: StoredEngine
    content: bytes | None


Calibration = Callable[[Path], StoredCalibrator | None]
"""Fits the calibrator of a bundle in a folder; None: it has none."""


def export_bundle(
    trained: Path,
    folder: Path,
    options: DecodingOptions,
    converted: ConvertedModel | None = None,
    calibrate: Calibration = lambda _: None,
    lexicon: Mapping[Question, KnownTarget] | None = None,
    vocoder: VocosFolder | GriffinLim | None = None,
) -> None:
    """Writes a bundle with the weights of a trained one; the same bytes for the same arguments.

    Args:
        trained: the folder of the trained bundle.
        folder: the output folder; replaced.
        options: the default decoding options of all users of the bundle.
        converted: the model for the engine that decodes; None: PyTorch decodes, at float32.
        calibrate: is given the bundle without a calibrator, and decodes with it.
        lexicon: what train has for each question; None: there is no lexicon.
        vocoder: what makes sound of frames, where the model writes them; a network must read such frames.

    Raises:
        UserError: the weights of the vocoder cannot be used.
        BundleError: a file of the trained bundle is missing, surplus, changed or of another format.
    """
    content = check_bundle(trained)
    with atomic.new_folder(folder) as draft:
        for name in content.config.payload:
            shutil.copy(trained / name, draft / name)
        digests = {name: content.digests[name] for name in content.config.payload}
        exported: dict[str, object] = {"decoding": options, "trained_digest": bundle_digest(trained), "lexicon": None}
        if converted is not None:
            exported["engine"] = converted.engine
        if converted is not None and converted.content is not None:
            (draft / ENGINE_FILE).write_bytes(converted.content)
            digests[ENGINE_FILE] = file_digest(draft / ENGINE_FILE)
        if lexicon is not None:
            write_lexicon(draft, lexicon)
            exported["lexicon"], digests[LEXICON_FILE] = len(lexicon), file_digest(draft / LEXICON_FILE)
        if isinstance(vocoder, GriffinLim) and vocoder != GriffinLim():
            exported["griffin_lim_iterations"] = vocoder.iterations
        if isinstance(vocoder, VocosFolder):
            exported["vocoder"] = write_vocoder(draft, vocoder)
            shutil.copymode(draft / content.config.payload[-1], draft / VOCODER_FILE)  # as for the model's weights
            digests[VOCODER_FILE] = file_digest(draft / VOCODER_FILE)
        write_config(draft, without := content.model_copy(update={**exported, "digests": digests}))
        if (calibrator := calibrate(draft)) is not None:
            write_config(draft, without.model_copy(update={"calibrator": calibrator}))


def find_served_bundle(paths: Paths) -> Path:
    """The folder of the workspace's served bundle; warns if it was exported from another model than the trained one.

    Args:
        paths: the workspace; reads ``models/served`` and ``models/bundle``.

    Raises:
        MissingInput: there is no served bundle.
    """
    if not (paths.served / CONFIG_FILE).is_file():
        raise MissingInput(f"{paths.served}: no such model bundle; {how_to_make(paths.served, 'export')}")
    if (paths.bundle / CONFIG_FILE).is_file() and _origin(paths.served) != _origin(paths.bundle):
        logger.warning(
            "%s was made of another model than %s now holds; `s2s export` (or `dvc repro export`) makes it anew",
            paths.served, paths.bundle,
        )  # fmt: skip
    return paths.served


def _origin(folder: Path) -> BundleFile | None:
    """What a bundle says of its model, without what an export adds; None: it cannot be read."""
    try:
        content = read_config(folder)
    except BundleError:
        return None
    digests = {name: content.digests[name] for name in content.config.payload}
    return content.model_copy(update={**dict.fromkeys(("decoding", "trained_digest", *ADDED_BY_EXPORT)), "digests": digests})
