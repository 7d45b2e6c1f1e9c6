"""A request with its body, and a path of the server with what answers it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.serving.front.answer import Answer
from seq2seq_core.serving.front.asgi_call import Scope
from seq2seq_core.serving.front.visit import Visit


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

    async def predict(
        self, given: object, params: Mapping[str, Any], keep_alignments: bool = False, num_hypotheses: int | None = None
    ) -> list[Prediction]:
        """The predictions for a request in any form, decoded together with other requests.

        Args:
            given: the request, in any form of :func:`~seq2seq_core.serving.request_columns.read_columns`.
            params: decoding options.
            keep_alignments: whether hypotheses carry their alignment.
            num_hypotheses: hypotheses of each source; None: as many as in the evaluation.

        Raises:
            MlflowException: the request is invalid, was not answered in time, or decoding failed.
        """
        service, visit = self.visit.served.service, self.visit
        predict = partial(
            service.predict, seconds=visit.seconds_left, on_submit=visit.hold, keep_alignments=keep_alignments,
            num_hypotheses=num_hypotheses, is_over=lambda: visit.is_over,
        )  # fmt: skip
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
        is_open: whether it needs no token.
        read_key: the token in the body of a request without the header ``Authorization``; None: only the header may have it.
        show_error: brings an answer of status 400 or above into the form that the route's clients know.
    """

    methods: tuple[str, ...]
    handler: Handler
    reads_body: bool = False
    is_open: bool = False
    read_key: Callable[[Call], str] | None = None
    show_error: Callable[[Answer], Answer] = lambda answer: answer
