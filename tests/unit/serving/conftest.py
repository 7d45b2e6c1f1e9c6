"""MLflow's own scoring server, in this process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI

from seq2seq_core.artifacts import Paths
from seq2seq_core.tracking.mlflow.store import connect, quiet_imports

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel


class Client:
    """Posts to an application in this process, which serves a model."""

    def __init__(self, application: FastAPI, model: PyFuncModel) -> None:
        self.model = model
        self.transport = httpx.ASGITransport(application, raise_app_exceptions=False)

    def post(self, **content: Any) -> httpx.Response:
        async def post() -> httpx.Response:
            async with httpx.AsyncClient(transport=self.transport, base_url="http://served") as client:
                return await client.post("/invocations", headers={"Content-Type": "application/json"}, **content)

        return asyncio.run(post())


@contextmanager
def open_client(paths: Paths, uri: str) -> Iterator[Client]:
    """A client of the registered model, loaded as a server would load it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        environment.setenv("S2S_SERVING_DEVICE", "cpu")
        connect(paths)
        with quiet_imports():
            import mlflow.pyfunc
            from mlflow.pyfunc import scoring_server
        path = list(sys.path)
        served = mlflow.pyfunc.load_model(uri)
        sys.path[:] = path  # MLflow puts the model's own copy of the package in front
        environment.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "true")  # the server would set it for good
        opened = Client(scoring_server.init(served), served)
        yield opened
