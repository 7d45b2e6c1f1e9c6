"""The ASGI application of ``s2s serve``: a thin layer around MLflow's scoring app, for which every request is bounded."""

from __future__ import annotations

import asyncio
import gc
import hmac
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping

from mlflow.exceptions import MlflowException

from seq2seq_core.config.serving.serve import ServeSection
from seq2seq_core.redaction.redactor import redact
from seq2seq_core.serving.batching.ticket import TOO_LATE
from seq2seq_core.serving.front.answer import Answer, RefusedRequest, answer_of, clean
from seq2seq_core.serving.front.asgi_call import Scope, Send, headers_of
from seq2seq_core.serving.front.call import Call, Route
from seq2seq_core.serving.front.incoming_body import BodyMemory, ClientGone, IncomingBody, Receive
from seq2seq_core.serving.front.large_requests import LARGE_BYTES, LargeRequests, RequestThreads
from seq2seq_core.serving.front.routes import INVOCATIONS, check_method, own_routes, route_of_mlflow
from seq2seq_core.serving.front.served_version import ServedVersion
from seq2seq_core.serving.front.serving_metrics import ServingMetrics
from seq2seq_core.serving.front.visit import CURRENT, Visit
from seq2seq_core.serving.model_header import MODEL_HEADER

logger = logging.getLogger(__name__)
MARGIN_SECONDS = 2.0
"""Time after a request's deadline in which its own thread should answer; then the server does."""
OTHER_PATHS = ("/ping", "/health", "/version", "/docs", "/openapi.json")
THREADS_FOR_OTHERS = 4


class Application:
    """Answers every request, within bounds.

    Args:
        current: the version that answers a request that comes now.
        settings: of the server.
        metrics: counts requests.
        token: that requests must have; empty: none.
        on_stop: called when the server has drained.
        write_access: takes a line of the access log.
    """

    def __init__(
        self,
        current: Callable[[], ServedVersion],
        settings: ServeSection,
        metrics: ServingMetrics,
        token: str = "",
        on_stop: Callable[[], None] = lambda: None,
        write_access: Callable[[str], None] | None = None,
    ) -> None:
        self.current, self.settings, self.metrics, self.token = current, settings, metrics, token
        self.on_stop, self.write_access = on_stop, write_access
        self.is_leaving = False
        self.routes = own_routes(settings, metrics, bool(token), lambda: self.is_leaving)
        self.memory = BodyMemory(settings.connections.max_buffered_bytes)
        self.large = LargeRequests()
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or starts and stops with the server.

        Args:
            scope: of ASGI.
            receive: of ASGI.
            send: of ASGI.
        """
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        visit = Visit(self.current(), self.settings.limits.deadline_seconds)
        body = IncomingBody(receive, headers_of(scope), self.settings.connections, self.memory)
        status = 0
        visit.served.enter()
        self.metrics.in_flight.inc()
        CURRENT.set(visit)
        try:
            answer = await self._answer(visit, scope, body)
            status = answer.status
            async with asyncio.timeout(self.settings.limits.deadline_seconds):
                await self._send(answer, visit, body, send)
        except ClientGone:
            pass
        except TimeoutError:  # the client does not read the answer
            scope["state"]["abort"]()
        finally:
            visit.abandon("the request has ended")
            visit.served.leave()
            self.metrics.in_flight.dec()
            self._note(visit, scope, status)
            if visit.size >= LARGE_BYTES:
                gc.collect()  # errors and the frames that they hold are cycles, which would keep the body until much later

    def leave(self) -> None:
        """Lets ``/ready`` say that the server is about to stop."""
        self.is_leaving = True

    async def _answer(self, visit: Visit, scope: Scope, body: IncomingBody) -> Answer:
        """The answer to a request, in the form that the clients of its path know."""
        path = scope["path"]
        route = self.routes.get(path) or route_of_mlflow(path, scope["method"])
        answer = await self._answer_by(route, visit, scope, body)
        return route.show_error(answer) if answer.status >= 400 else answer

    async def _answer_by(self, route: Route, visit: Visit, scope: Scope, body: IncomingBody) -> Answer:
        """The answer of a route, or that of a request that was refused, or of one that failed."""
        self._in_flight += 1
        try:
            self._check_token(route, headers_of(scope))
            check_method(route, scope["method"])
            if route.reads_body and self._in_flight > self.settings.connections.max_requests:
                raise RefusedRequest(503, f"the server answers {self._in_flight - 1} requests already; try again later")
            content = await body.read() if route.reads_body else b""
            visit.size = len(content)
            call = Call(visit, scope, headers_of(scope), content)
            self._check_key(route, call)
            return await self._within_deadline(self._handle(route, call), visit, body)
        except RefusedRequest as error:
            return error.answer
        except MlflowException as error:
            return clean(answer_of(error), visit.request_id)
        except ClientGone:
            raise
        except Exception:
            logger.exception("request %s failed", visit.request_id)
            return RefusedRequest(500, f"the request failed; the server's log has the reason (request {visit.request_id})").answer
        finally:
            self._in_flight -= 1
            body.free()

    async def _handle(self, route: Route, call: Call) -> Answer:
        """The answer of a route; a large request waits for its turn first."""
        if len(call.body) >= LARGE_BYTES:
            await self.large.wait(call.visit)
        return await route.handler(call)

    async def _within_deadline(self, handling: Awaitable[Answer], visit: Visit, body: IncomingBody) -> Answer:
        """The answer of a handler, whose work stops at the deadline, or when the client leaves."""
        work = asyncio.ensure_future(handling)
        watch = asyncio.ensure_future(_wait_until_gone(body)) if body.is_read else None
        tasks = {work} if watch is None else {work, watch}
        try:
            await asyncio.wait(tasks, timeout=visit.seconds_left + MARGIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            is_gone = watch is not None and watch.done()
            visit.abandon("the client has left" if is_gone else TOO_LATE)
            if is_gone:
                raise ClientGone
            raise RefusedRequest(503, TOO_LATE)
        finally:
            work.cancel()
            if watch is not None:
                watch.cancel()
            # An exception holds this frame, and the task the exception: a cycle that would keep the body in memory.
            del work, watch, tasks, handling

    def _check_token(self, route: Route, headers: Mapping[str, str]) -> None:
        """Refuses a request without the token, before its body is read where that cannot have it."""
        given = headers.get("authorization", "")
        if not self.token or route.is_open or (route.read_key is not None and not given):
            return
        kind, _, token = given.partition(" ")
        if kind.lower() != "bearer" or not self._is_token(token):
            raise RefusedRequest(
                401, "expected the server's token in Authorization: Bearer", {"www-authenticate": "Bearer"}, "UNAUTHENTICATED"
            )

    def _check_key(self, route: Route, call: Call) -> None:
        """Refuses a request whose token should be in its body, and is not."""
        if not self.token or route.read_key is None or call.headers.get("authorization"):
            return
        key = route.read_key(call)
        if not key:
            raise RefusedRequest(400, "the server's token is needed: as api_key, or in Authorization: Bearer")
        if not self._is_token(key):
            raise RefusedRequest(403, "Invalid API key")

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.strip().encode("utf-8", "replace"), self.token.encode())

    async def _send(self, answer: Answer, visit: Visit, body: IncomingBody, send: Send) -> None:
        """Sends an answer; where the request's body was not read, its rest is dropped and the connection closed."""
        headers = {"content-type": answer.content_type, "content-length": str(len(answer.body)), **answer.headers}
        headers |= {MODEL_HEADER.lower(): visit.served.label, "x-request-id": visit.request_id}
        if answer.status == 503:
            headers["retry-after"] = str(max(1, math.ceil(visit.served.service.batcher.expected_wait())))
        if not body.is_read:
            headers["connection"] = "close"
        packed = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": packed})
        await send({"type": "http.response.body", "body": answer.body, "more_body": not body.is_read})
        if not body.is_read:
            await body.drop_rest()
            await send({"type": "http.response.body", "body": b""})

    def _note(self, visit: Visit, scope: Scope, status: int) -> None:
        """Counts the request, and writes it into the access log."""
        path, seconds = scope["path"], time.monotonic() - visit.started
        known = path if path in self.routes or path in OTHER_PATHS else "other"
        self.metrics.observe_request(known, status, seconds, visit.rows)
        if self.write_access is not None:
            client = scope.get("client")
            entry = {
                "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "request": visit.request_id, "client": client[0] if client else "",
                "method": scope["method"], "path": path, "status": status, "seconds": round(seconds, 4), "rows": visit.rows,
                "bytes": visit.size, "model": f"{visit.served.name}/{visit.served.number}",
            }  # fmt: skip
            self.write_access(redact(json.dumps(entry, ensure_ascii=False)))

    async def _live(self, receive: Receive, send: Send) -> None:
        """Prepares the threads in which MLflow's app answers, and stops the rest when the server has drained."""
        await receive()
        threads = self.settings.connections.max_requests + THREADS_FOR_OTHERS
        asyncio.get_running_loop().set_default_executor(RequestThreads(threads, thread_name_prefix="request"))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.to_thread(self.on_stop)
        await send({"type": "lifespan.shutdown.complete"})


async def _wait_until_gone(body: IncomingBody) -> None:
    """Returns when the client has closed the connection; its body was read."""
    while (await body.receive())["type"] != "http.disconnect":
        pass


__all__ = ["INVOCATIONS", "Application"]
