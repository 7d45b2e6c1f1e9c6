"""The served model, for MLflow's models-from-code: MLflow stores this file with the model and runs it to load the model.

A request has the column ``source`` (texts, or, for a model of recordings or pictures, files in base64) and the model's tag
columns; without tags it may be a text or a list of texts. The answer has ``prediction``, ``score`` and ``is_cut`` (whether the
length limit cut it) for each row, in order; of a model with a calibrator also ``confidence`` and ``abstained``, of one
with a lexicon ``from_lexicon``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.protos.databricks_pb2 import INVALID_STATE
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from seq2seq_core.bundle.model_seal import BUNDLE_PATH, check_seal
from seq2seq_core.bundle.signature import PUBLIC_VARIABLE
from seq2seq_core.bundle.signed_model import verify_model
from seq2seq_core.config.serving.request_limits import COST_VARIABLE, DEADLINE_VARIABLE, read_limits
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.serving.batching.batcher import Batcher
from seq2seq_core.serving.batching.predictor_decoder import PredictorDecoder
from seq2seq_core.serving.request_reader import RequestReader
from seq2seq_core.serving.row_service import RowService

DEVICE_VARIABLE = "S2S_SERVING_DEVICE"
SERVED_VARIABLE = "_MLFLOW_IS_IN_SERVING_ENVIRONMENT"
"""MLflow's scoring server sets it to ``true``."""


class ServedModel(PythonModel):
    """Maps texts or files to text with the same predictor as the evaluation; requests of several threads share batches."""

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
            predictor = Predictor.from_folder(bundle, device=os.environ.get(DEVICE_VARIABLE, "auto"))
        except UserError as error:
            raise MlflowException(f"the model is not served: {error}", error_code=INVALID_STATE) from error
        limits = read_limits()
        self.service = RowService(RequestReader.of_bundle(predictor.bundle, limits), Batcher([PredictorDecoder(predictor)], limits))

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """The predictions for the sources of a request.

        The cost and the time of a request are bounded in a server, and elsewhere only by variables that are set.

        Args:
            context: not used; the bundle is already loaded.
            model_input: the column ``source`` (a text, or a WAV or FLAC file in base64, in each row) and the tag columns; or a
                text, a list or an array of texts, a list of rows, or a dictionary of lists.
            params: decoding options, see the model's params schema.

        Raises:
            MlflowException: the request is invalid (status 400), was not answered in time (503), or decoding failed (500).
        """
        is_served, limits = os.environ.get(SERVED_VARIABLE) == "true", self.service.reader.limits
        seconds = limits.deadline_seconds if is_served or DEADLINE_VARIABLE in os.environ else None
        return self.service.answer(model_input, params, is_served or COST_VARIABLE in os.environ, seconds)


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
