"""The route ``/speech``: a text in, a WAV file out, of a model of speech."""

from __future__ import annotations

import base64

from seq2seq_core.serving.front.answer import Answer, RefusedRequest
from seq2seq_core.serving.front.call import Call
from seq2seq_core.serving.front.trial_page import read_trial
from seq2seq_core.serving.request_columns import SOURCE_COLUMN

WAV_TYPE = "audio/wav"


async def speak(call: Call) -> Answer:
    """The speech of one source, as the content of a WAV file.

    Args:
        call: the request, in the form of :func:`~seq2seq_core.serving.front.trial_page.read_trial`: ``source`` and ``tags``.

    Raises:
        RefusedRequest: the request is invalid, or the model writes text.
    """
    if call.visit.served.service.reader.config.speech is None:
        raise RefusedRequest(400, "this model writes text, and no speech; expected a request to /invocations")
    request = read_trial(call)
    columns = {SOURCE_COLUMN: [request.source]} | {name: [value] for name, value in request.tags.items()}
    (found,) = await call.predict(columns, request.params)
    return Answer(200, base64.b64decode(found.text), WAV_TYPE)
