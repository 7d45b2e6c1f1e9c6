"""What the server answers beside MLflow's scoring app. A further path is an entry in :func:`own_routes`, and a handler."""

from __future__ import annotations

from collections.abc import Callable

from seq2seq_core.config.serving.serve import ServeSection
from seq2seq_core.serving.front import translation, trial_page
from seq2seq_core.serving.front.answer import Answer, RefusedRequest, as_json, clean
from seq2seq_core.serving.front.asgi_call import call_application
from seq2seq_core.serving.front.call import Call, Route
from seq2seq_core.serving.front.scoring_request import JSON, check_content_type, read_request
from seq2seq_core.serving.front.serving_metrics import CONTENT_TYPE, ServingMetrics
from seq2seq_core.serving.front.speech import speak

INVOCATIONS = "/invocations"
OPEN_PATHS = ("/ping", "/health")
"""MLflow's paths that need no token: what orchestrators of containers ask."""


def own_routes(
    settings: ServeSection, metrics: ServingMetrics, needs_token: bool = False, is_leaving: Callable[[], bool] = lambda: False
) -> dict[str, Route]:
    """The paths that the server answers itself; all others are MLflow's.

    Args:
        settings: of the server.
        metrics: what ``/metrics`` shows.
        needs_token: whether requests must have a token.
        is_leaving: whether the server is about to stop.
    """

    async def show_ready(call: Call) -> Answer:
        return show_readiness(call, settings, is_leaving())

    async def show_metrics(call: Call) -> Answer:
        return Answer(200, metrics.show(), CONTENT_TYPE)

    async def show_settings(call: Call) -> Answer:
        return as_json(translation.frontend_settings(call.visit.served.service.reader, needs_token))

    look = ("GET", "HEAD")
    return {
        "/": Route(look, trial_page.show_page, is_open=True),
        "/try": Route((*look, "POST"), trial_page.answer_trial, reads_body=True),
        "/speech": Route(("POST",), speak, reads_body=True),
        INVOCATIONS: Route(("POST",), score, reads_body=True),
        "/translate": Route(
            ("POST",), translation.translate, reads_body=True, read_key=translation.read_key, show_error=translation.as_error
        ),
        "/languages": Route(look, translation.show_languages, is_open=True),
        "/frontend/settings": Route(look, show_settings, is_open=True),
        "/ready": Route(look, show_ready, is_open=True),
        "/metrics": Route(look, show_metrics),
    }


def route_of_mlflow(path: str, method: str) -> Route:
    """What answers a path that is none of the server's own.

    Args:
        path: the path.
        method: of the request; MLflow refuses those that it does not know.
    """
    return Route((method,), call_mlflow, is_open=path in OPEN_PATHS)


def show_readiness(call: Call, settings: ServeSection, is_leaving: bool = False) -> Answer:
    """Whether requests are answered: a worker is there, what waits gets finished, and the server goes on.

    Args:
        call: the request.
        settings: of the server.
        is_leaving: whether the server is about to stop.
    """
    served = call.visit.served
    load, alive = served.service.batcher.load(), sum(decoder.is_alive for decoder in served.decoders)
    reasons = [] if alive else ["no worker runs"]
    if is_leaving:
        reasons.append("the server is about to stop")
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
