"""What the server answers beside MLflow's scoring app. A further path is an entry in :func:`own_routes`, and a handler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from seq2seq_core.config.serving.serve import ServeSection
from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.serving.front.answer import Answer, RefusedRequest, as_json, clean
from seq2seq_core.serving.front.asgi_call import Scope, call_application
from seq2seq_core.serving.front.scoring_request import JSON, check_content_type, read_request
from seq2seq_core.serving.front.serving_metrics import CONTENT_TYPE, ServingMetrics
from seq2seq_core.serving.front.visit import Visit

INVOCATIONS = "/invocations"
OPEN_PATHS = ("/ping", "/health", "/ready")
"""Paths that need no token: what orchestrators of containers ask."""


@dataclass(frozen=True)
class Call:
    """A request with its body.

    Attributes:
        visit: its deadline, and the version that answers it.
        scope: of ASGI.
        headers: by name in small letters.
        body: empty where the route reads none.
    """

    visit: Visit
    scope: Scope
    headers: Mapping[str, str]
    body: bytes

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The result of a function that computes or waits, in a thread.

        Args:
            function: what to call.
            arguments: its arguments.
        """
        return await asyncio.to_thread(function, *arguments)

    async def predict(self, given: object, params: Mapping[str, Any], keep_alignments: bool = False) -> list[Prediction]:
        """The predictions for a request in any form, decoded together with other requests.

        Args:
            given: the request, in any form of :func:`~seq2seq_core.serving.request_columns.read_columns`.
            params: decoding options.
            keep_alignments: whether hypotheses carry their alignment.

        Raises:
            MlflowException: the request is invalid, was not answered in time, or decoding failed.
        """
        service, visit = self.visit.served.service, self.visit
        predict = partial(service.predict, seconds=visit.seconds_left, on_submit=visit.hold, keep_alignments=keep_alignments)
        found: list[Prediction] = await self.in_thread(predict, given, params)
        return found


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """A path that the server answers.

    Attributes:
        methods: of HTTP.
        handler: makes the answer.
        reads_body: whether the body is read before.
    """

    methods: tuple[str, ...]
    handler: Handler
    reads_body: bool = False


def own_routes(settings: ServeSection, metrics: ServingMetrics) -> dict[str, Route]:
    """The paths that the server answers itself; all others are MLflow's.

    Args:
        settings: of the server.
        metrics: what ``/metrics`` shows.
    """

    async def show_ready(call: Call) -> Answer:
        return show_readiness(call, settings)

    async def show_metrics(call: Call) -> Answer:
        return Answer(200, metrics.show(), CONTENT_TYPE)

    return {
        INVOCATIONS: Route(("POST",), score, reads_body=True),
        "/ready": Route(("GET", "HEAD"), show_ready),
        "/metrics": Route(("GET", "HEAD"), show_metrics),
    }


def show_readiness(call: Call, settings: ServeSection) -> Answer:
    """Whether requests are answered: a worker is there, and what waits gets finished.

    Args:
        call: the request.
        settings: of the server.
    """
    served = call.visit.served
    load, alive = served.service.batcher.load(), sum(decoder.is_alive for decoder in served.decoders)
    reasons = [] if alive else ["no worker runs"]
    if load.stalled_seconds > settings.stalled_seconds:
        reasons.append(f"nothing has finished for {load.stalled_seconds:.0f} s")
    content = {
        "ready": not reasons, "reasons": reasons, "model": served.label, "workers": alive, "waiting_rows": load.waiting_rows,
    }  # fmt: skip
    return as_json(content, 503 if reasons else 200)


async def score(call: Call) -> Answer:
    """MLflow's own answer to a request that was checked, and brought into the form that MLflow reads exactly.

    Args:
        call: the request.
    """
    served = call.visit.served
    content_type = check_content_type(call.headers.get("content-type", ""))
    max_rows = served.service.reader.limits.max_rows

    def prepare() -> bytes:
        return read_request(call.body, content_type, served.parameters, max_rows).to_body(served.columns)

    body = prepare() if len(call.body) < 65_536 else await call.in_thread(prepare)
    return clean(await call_application(served.application, call.scope, body, JSON), call.visit.request_id)


async def call_mlflow(call: Call) -> Answer:
    """MLflow's answer to any other request, which reads no body.

    Args:
        call: the request.
    """
    return clean(await call_application(call.visit.served.application, call.scope, b"", JSON), call.visit.request_id)


def check_method(route: Route, method: str) -> None:
    """Refuses another method.

    Args:
        route: of the path.
        method: of the request.

    Raises:
        RefusedRequest: with status 405.
    """
    if method not in route.methods:
        allowed = ", ".join(route.methods)
        raise RefusedRequest(405, f"expected the method {allowed}, got {method}", {"allow": allowed})
