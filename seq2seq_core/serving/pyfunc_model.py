"""The served model, for MLflow's models-from-code: MLflow stores this file with the model and runs it to load the model.

A request has the column ``source`` (texts, or, for a model of recordings, WAV or FLAC files in base64) and the model's tag
columns. The answer has ``prediction``, ``score`` and ``is_cut`` (whether it was cut at the length limit) for each row, in order.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_STATE
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from seq2seq_core.bundle.model_seal import BUNDLE_PATH, check_seal
from seq2seq_core.bundle.signature import PUBLIC_VARIABLE
from seq2seq_core.bundle.signed_model import verify_model
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.decoding.source_encoder import SourceItem
from seq2seq_core.errors import BundleError, TagError, UserError
from seq2seq_core.serving.request import (
    MAX_CHARACTERS_VARIABLE,
    MAX_ROWS_VARIABLE,
    MAX_SECONDS_VARIABLE,
    read_limit,
    read_options,
    read_sources,
    read_tags,
    refusal,
)
from seq2seq_core.serving.uploaded_recordings import read_recordings

DEVICE_VARIABLE = "S2S_SERVING_DEVICE"


class ServedModel(PythonModel):
    """Maps texts or recordings to text with the same predictor as the evaluation."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the bundle and reads the limits, so that a fault ends the server at its start, not a request.

        Args:
            context: has the artifact ``bundle``, the bundle's folder.

        Raises:
            MlflowException: a file of the model is not the one that was registered, or the bundle is damaged or not signed.
        """
        bundle = Path(context.artifacts["bundle"])
        try:
            _check_model(Path(__file__).parent, bundle)
            self.predictor = Predictor.from_folder(bundle, device=os.environ.get(DEVICE_VARIABLE, "auto"))
        except UserError as error:
            raise MlflowException(f"the model is not served: {error}", error_code=INVALID_STATE) from error
        self.max_rows, self.max_characters = read_limit(MAX_ROWS_VARIABLE), read_limit(MAX_CHARACTERS_VARIABLE)
        self.max_seconds = read_limit(MAX_SECONDS_VARIABLE)

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """The predictions for the sources of a request.

        Args:
            context: not used; the bundle is already loaded.
            model_input: the column ``source`` (a text, or a WAV or FLAC file in base64, in each row) and the tag columns.
            params: decoding options, see the model's params schema.

        Raises:
            MlflowException: the request is invalid (status 400), or decoding failed (status 500).
        """
        sources = self._read_sources(model_input)
        tags = read_tags(model_input, self.predictor.bundle.config.tags.all)
        options = read_options(params, self.predictor.options)
        try:
            predictions = self.predictor.predict(sources, options, tags=tags)
        except TagError as error:
            raise refusal(f"row {error.place}: {error.reason}") from error
        except UserError as error:
            raise refusal(str(error)) from error
        except RuntimeError as error:
            # PyTorch's errors, such as exhausted memory, are not the request's fault, but MLflow would answer with status 400.
            raise MlflowException(f"decoding failed: {error}", error_code=INTERNAL_ERROR) from error
        return pd.DataFrame(
            {
                "prediction": [one.text for one in predictions],
                "score": [float(one.score) for one in predictions],
                "is_cut": [one.is_cut for one in predictions],
            }
        )

    def _read_sources(self, frame: pd.DataFrame) -> Sequence[SourceItem]:
        """The texts of a request, or the samples of its recordings."""
        audio = self.predictor.bundle.config.audio
        if audio is not None:
            return read_recordings(frame, self.max_rows, self.max_seconds, audio.sample_rate)
        return read_sources(frame, self.max_rows, self.max_characters)


def _check_model(folder: Path, bundle: Path) -> None:
    """Compares a logged model's files with the digests of its registration and, with a public key, with its signatures.

    Args:
        folder: the folder of this file: the logged model, except where the package is imported.
        bundle: the folder of the bundle to load.
    """
    if not (folder / MLMODEL_FILE_NAME).is_file():
        return
    described = Model.load(str(folder))
    label = f"the model {described.model_id}"
    if not (folder / BUNDLE_PATH).samefile(bundle):
        raise BundleError(f"{label}: {MLMODEL_FILE_NAME}: the path of the artifact bundle must be {BUNDLE_PATH}, got {bundle}")
    check_seal(folder, described.metadata or {}, label)
    if key := os.environ.get(PUBLIC_VARIABLE):
        verify_model(folder, Path(key), label)


mlflow.models.set_model(ServedModel())
