"""Turns a bundle into a logged MLflow model: code, signature, parameters, example and pinned requirements."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import seq2seq_core
from seq2seq_core.bundle.bundle import read_config
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.decoding.options import DecodingOptions
from seq2seq_core.tracking.mlflow.store import quiet_imports

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

PACKAGE = Path(seq2seq_core.__file__).parent
BUNDLE_PATH = "artifacts/bundle"
"""Where the bundle lies inside a logged model."""
SAMPLING_PARAMETERS = {
    "method": "string",
    "selection": "string",
    "mbr_samples": "integer",
    "temperature": "double",
    "top_k": "integer",
    "top_p": "double",
    "seed": "integer",
}
"""Parameters of a request that no evaluation sets, and their types."""
REQUIREMENTS = ("mlflow", "numpy", "pandas", "pydantic", "ruamel-yaml", "safetensors", "sentencepiece", "torch")
FLAC_REQUIREMENT = "soundfile"


def log_bundle(bundle: Path, model: LoggedModel, evaluate: EvaluateSection, example: Mapping[str, str]) -> ModelInfo:
    """Fills a logged model with a bundle and all that is needed to serve it.

    Args:
        bundle: the bundle's folder.
        model: still empty; names the run and the experiment that it belongs to.
        evaluate: the decoding options that the bundle was evaluated with become its defaults.
        example: ``source`` and the tags of a pair, for the input example.
    """
    with quiet_imports():
        import mlflow.pyfunc
        import pandas as pd
        from mlflow.models import Model

    # Labels of the general type: MLflow compares pandas's own text labels with numbers, which pandas deprecates.
    config = read_config(bundle).config
    tags = config.tags.all
    names = [name for name in ("source", *tags) if name in example]
    frame = pd.DataFrame([[example[name] for name in names]], columns=pd.Index(names, dtype=object))
    info: ModelInfo = Model.log(
        artifact_path=None,
        flavor=mlflow.pyfunc,
        name=model.name,
        model_id=model.model_id,
        run_id=model.source_run_id,
        python_model=str(PACKAGE / "serving" / "pyfunc_model.py"),
        artifacts={"bundle": str(bundle)},
        code_paths=[str(PACKAGE)],
        model_config=decoding_defaults(evaluate),
        signature=served_signature(evaluate, tags),
        input_example=(frame, {"beam_size": evaluate.beam_size}),
        pip_requirements=pinned_requirements(config.audio is not None),
    )
    return info


def decoding_defaults(evaluate: EvaluateSection) -> dict[str, Any]:
    """The decoding options of the evaluation, so that what is served is what was evaluated.

    Args:
        evaluate: section ``evaluate``.
    """
    names = ("beam_size", "length_penalty", "max_length_ratio", "max_length_offset", "min_length", "no_repeat_ngram_size")
    return {name: getattr(evaluate, name) for name in names}


def served_signature(evaluate: EvaluateSection, tags: Sequence[str] = ()) -> ModelSignature:
    """What a request and its answer look like.

    Args:
        evaluate: the parameters' defaults.
        tags: columns that are tags. To MLflow they are optional, so that a request without one gets our refusal, which lists the
            known values.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    options = DecodingOptions()
    return ModelSignature(
        inputs=Schema([ColSpec("string", "source"), *(ColSpec("string", name, required=False) for name in tags)]),
        outputs=Schema([ColSpec("string", "prediction"), ColSpec("double", "score")]),
        params=ParamSchema(
            [
                ParamSpec("beam_size", "integer", evaluate.beam_size),
                ParamSpec("length_penalty", "double", evaluate.length_penalty),
                ParamSpec("max_length", "integer", 0),
                ParamSpec("min_length", "integer", evaluate.min_length),
                ParamSpec("no_repeat_ngram_size", "integer", evaluate.no_repeat_ngram_size),
                *(ParamSpec(name, kind, getattr(options, name)) for name, kind in SAMPLING_PARAMETERS.items()),
            ]
        ),
    )


def pinned_requirements(audio: bool) -> list[str]:
    """The packages that the served model imports, each at the installed version, without a build's local part such as ``+cpu``.

    Args:
        audio: whether it takes recordings; it then reads FLAC where this installation does.
    """
    reads_flac = audio and importlib.util.find_spec(FLAC_REQUIREMENT) is not None
    names = (*REQUIREMENTS, FLAC_REQUIREMENT) if reads_flac else REQUIREMENTS
    return [f"{name}=={importlib.metadata.version(name).partition('+')[0]}" for name in names]
