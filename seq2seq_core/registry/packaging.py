"""Packaging of a bundle as a logged MLflow model: code, signature, parameters, example and pinned requirements."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import seq2seq_core
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import BundleConfig, StoredEngine, read_config
from seq2seq_core.bundle.model_seal import BUNDLE_PATH, BUNDLE_SEAL, BYTECODE_FOLDER, CODE_PATH, CODE_SEAL, LOADER_FILE, code_digest
from seq2seq_core.config.decoding_options import DecodingOptions, offered_options
from seq2seq_core.config.serving.request_limits import LONE_COLUMN
from seq2seq_core.decoding.phrases.wanted_phrases import PHRASE_PARAMS
from seq2seq_core.imports.shipped_files import SHIPPED_FOLDER
from seq2seq_core.tracking.mlflow.store import quiet_imports

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

PACKAGE = Path(seq2seq_core.__file__).parent
PARITY_ARTIFACT, PARITY_PATH = "parity", "artifacts/parity.json"
"""The parity sample's name as an artifact, and its path inside a logged model."""
PARAMETER_TYPES = {int: "integer", float: "double", bool: "boolean", str: "string"}
"""MLflow's types of request parameters, by Python type."""
REQUIREMENTS = ("mlflow", "numpy", "pandas", "pydantic", "ruamel-yaml", "safetensors", "sentencepiece", "torch")
FLAC_REQUIREMENT, PICTURE_REQUIREMENT = "soundfile", "pillow"
MOJIBAKE_REQUIREMENT = "ftfy"


def log_bundle(bundle: Path, model: LoggedModel, example: Mapping[str, str], sample: Sequence[Mapping[str, str]] = ()) -> ModelInfo:
    """Logs a bundle, and everything that serving it needs, to a logged model.

    Args:
        bundle: the bundle's folder; its decoding options become the defaults of a request.
        model: the empty logged model, with the id of its run.
        example: ``source`` and the tags of a pair, for the input example.
        sample: the parity sample.

    Returns:
        What was logged; its metadata has the digests of the bundle and of the code.
    """
    with quiet_imports():
        import mlflow.pyfunc
        import pandas as pd
        from mlflow.models import Model

    # Column labels have dtype object: MLflow compares pandas's string labels with numbers, which pandas deprecates.
    content = read_config(bundle)
    tags, options = content.config.tags.all, content.decoding or DecodingOptions()
    names = [name for name in ("source", *tags) if name in example]
    frame = pd.DataFrame([[example[name] for name in names]], columns=pd.Index(names, dtype=object))
    with tempfile.TemporaryDirectory(prefix=".bundle.", dir=bundle.parent) as room:
        named = Path(room) / Path(BUNDLE_PATH).name  # the folder's name becomes the name inside the model
        shutil.copytree(bundle, named, copy_function=_link_or_copy)
        parity = Path(room) / Path(PARITY_PATH).name
        parity.write_text(json.dumps(list(sample), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        code = _copy_code(Path(room))
        info: ModelInfo = Model.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            name=model.name,
            model_id=model.model_id,
            run_id=model.source_run_id,
            python_model=str(Path(room) / LOADER_FILE),
            artifacts={"bundle": str(named), PARITY_ARTIFACT: str(parity)},
            code_paths=[str(code)],
            metadata={BUNDLE_SEAL: bundle_digest(named), CODE_SEAL: code_digest(Path(room))},
            signature=served_signature(options, tags, content.calibrator is not None, content.lexicon is not None),
            input_example=(frame, {"beam_size": options.beam_size}),
            pip_requirements=pinned_requirements(content.config, content.engine),
        )
    return info


def _copy_code(room: Path) -> Path:
    """Puts the files that run the model into a folder, where a logged model has them; returns the package's copy."""
    package = room / CODE_PATH / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns(BYTECODE_FOLDER, SHIPPED_FOLDER), copy_function=_link_or_copy)
    shutil.copy(package / "serving" / LOADER_FILE, room / LOADER_FILE)
    return package


def _link_or_copy(source: str, target: str) -> None:
    """Makes a hard link, which takes no space, or a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


def served_signature(
    options: DecodingOptions, tags: Sequence[str] = (), has_confidence: bool = False, has_lexicon: bool = False
) -> ModelSignature:
    """The MLflow signature of requests and answers.

    MLflow would turn null and numbers into texts of a column of strings, so the columns are of any type, and optional: the model
    itself refuses what is no text, and its errors name the row and the known values. Column 0 is where MLflow puts requests without
    columns: a text, a list or an array of texts. It must come first, because MLflow reads a list by the first column's type.

    Args:
        options: the defaults of the parameters.
        tags: the tag columns.
        has_confidence: whether answers have a confidence.
        has_lexicon: whether answers say that they are of a lexicon.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    make_type: Callable[[], Any] = AnyType
    names: list[Any] = [LONE_COLUMN, "source", *tags]
    answers: list[Any] = [ColSpec("string", "prediction"), ColSpec("double", "score"), ColSpec("boolean", "is_cut")]
    answers.append(ColSpec("boolean", "source_is_cut"))
    if has_confidence:
        answers += [ColSpec("double", "confidence", required=False), ColSpec("boolean", "abstained")]
    if has_lexicon:
        answers.append(ColSpec("boolean", "from_lexicon"))
    return ModelSignature(
        inputs=Schema([ColSpec(make_type(), name, required=False) for name in names]),
        outputs=Schema(answers),
        params=ParamSchema(
            [
                *(
                    ParamSpec(option.name, PARAMETER_TYPES[option.kind], getattr(options, option.name))
                    for option in offered_options()
                    if option.offer.in_requests
                ),
                *(ParamSpec(name, "string", [], shape=(-1,)) for name in PHRASE_PARAMS),
            ]
        ),
    )


def pinned_requirements(config: BundleConfig, engine: StoredEngine | None = None) -> list[str]:
    """The packages that the served model imports, pinned to the installed versions without local parts such as ``+cpu``.

    Args:
        config: of the model: one of pictures needs Pillow, one of recordings the FLAC package, if this installation has it, and
            some mending rules of the normal form need theirs.
        engine: the engine that decodes, named as its package; None: PyTorch does, which is needed in any case.
    """
    named = {
        FLAC_REQUIREMENT: config.audio is not None and importlib.util.find_spec(FLAC_REQUIREMENT) is not None,
        MOJIBAKE_REQUIREMENT: "mojibake" in config.normal_form.mend,
        PICTURE_REQUIREMENT: config.pictures is not None,
    }
    if engine is not None and engine.has_file:
        named[engine.name] = True
    names = [*REQUIREMENTS, *(name for name, is_needed in named.items() if is_needed)]
    return [f"{name}=={importlib.metadata.version(name).partition('+')[0]}" for name in names]
