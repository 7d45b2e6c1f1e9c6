"""``s2s export --to``: the trained model for an engine, for use elsewhere, with a certificate.

Not a stage of the graph. For CTranslate2 the model is in its format: the vocabularies name the subword models' pieces, and the
subword models lie beside them. For PyTorch it is a served bundle.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from pathlib import Path

import torch

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import Bundle, load_bundle
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import ENGINE_FILE, SOURCE_FILE, TARGET_FILE, WEIGHTS_FILE, StoredEngine
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.decoding.engines.ctranslate2_conversion import Vocabularies, model_files
from seq2seq_core.decoding.engines.engine_choice import choose_engine, convert_bundle
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.dvc_files import how_to_make
from seq2seq_core.errors import MissingInput, UserError
from seq2seq_core.gate.engine_certificate import EngineCertificate, Weighed, certify
from seq2seq_core.tokenization.special_tokens import NUM_SPECIAL, SPECIAL_NAMES
from seq2seq_core.tokenization.subword import SubwordModel

logger = logging.getLogger(__name__)

CERTIFICATE_FILE, CERTIFICATE_PAGE = "certificate.json", "CERTIFICATE.md"
SERVED_FOLDER = "served"
"""The folder of the bundle, beside the certificate."""


def export_elsewhere(settings: Settings, paths: Paths, engine: StoredEngine, output: Path) -> EngineCertificate:
    """Writes a converted model and its certificate into a folder; returns the certificate.

    Args:
        settings: the sections ``evaluate`` (decoding options, metrics' settings) and ``register`` (the metric).
        paths: the workspace; reads ``models/bundle`` and ``data/prepared/dev.jsonl``.
        engine: the engine, and the type of the converted weights.
        output: a folder that does not exist, or is empty.

    Raises:
        MissingInput: there is no trained bundle.
        BundleError: the trained bundle cannot be used.
        UserError: the engine cannot hold the model or decode by the options, its package is missing, ``output`` holds something,
            or dev is empty.
    """
    if not paths.bundle.is_dir():
        raise MissingInput(f"{paths.bundle}: no such model bundle; {how_to_make(paths.bundle, 'train')}")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"{output}: must be a new or empty folder, got something else")
    bundle, pairs = load_bundle(paths.bundle), list(iterate_pairs(paths.prepared_split("dev")))
    if not pairs:
        raise UserError(f"{paths.prepared_split('dev')}: no pair to compare answers on")
    if bundle.config.speech is not None:
        raise UserError("a model of speech cannot be exported for another engine: PyTorch alone writes frames")
    asked = {"engine": engine.name, "compute_type": engine.compute_type}
    choose_engine(settings.evaluate.model_copy(update=asked), bundle.config)
    if settings.runtime.num_threads:
        torch.set_num_threads(settings.runtime.num_threads)
    with tempfile.TemporaryDirectory() as room:
        served = Path(room) / "served"
        options = settings.evaluate.decoding.override(lexicon=False)  # a lexicon is no part of a model for elsewhere
        export_bundle(paths.bundle, served, options, convert_bundle(bundle, engine))
        weights = ENGINE_FILE if engine.has_file else WEIGHTS_FILE
        size, converted_size = ((served / name).stat().st_size for name in (WEIGHTS_FILE, weights))
        weighed = Weighed(bundle_digest(paths.bundle), size, converted_size, engine.compute_type)
        certificate = certify(Predictor.from_folder(served), weighed, pairs, settings.evaluate, settings.register_.metric)
        with atomic.new_folder(output) as draft:
            _write(draft, served, bundle, certificate)
    logger.info("%s holds the model for %s at %s, and its certificate", output, engine.name, engine.compute_type)
    return certificate


def _write(folder: Path, served: Path, bundle: Bundle, certificate: EngineCertificate) -> None:
    """Writes the files of a model as the engine reads them, and the certificate."""
    if (served / ENGINE_FILE).exists():
        _write_converted(folder, served, bundle)
    else:
        shutil.copytree(served, folder / SERVED_FOLDER)
    text = json.dumps(certificate.to_dict(), ensure_ascii=False, indent=1) + "\n"
    (folder / CERTIFICATE_FILE).write_text(text, encoding="utf-8")
    (folder / CERTIFICATE_PAGE).write_text(certificate.to_markdown(), encoding="utf-8")


def _write_converted(folder: Path, served: Path, bundle: Bundle) -> None:
    """Writes the files that CTranslate2 reads, and the subword models."""
    source, target = bundle.source_tokenizer, bundle.target_tokenizer
    assert source is not None, "an engine holds no model of frames"
    for name in (SOURCE_FILE, TARGET_FILE):
        shutil.copy(served / name, folder / name)
    for name, content in model_files((served / ENGINE_FILE).read_bytes(), Vocabularies(_names(source), _names(target))).items():
        (folder / name).write_bytes(content)


def _names(tokenizer: SubwordModel) -> list[str]:
    """The name of each id: its piece, of special ids the usual name, unless a piece is spelt so."""
    pieces = tokenizer.stored_pieces()
    return [name if name not in pieces else pieces[id_] for id_, name in sorted(SPECIAL_NAMES.items())] + pieces[NUM_SPECIAL:]
