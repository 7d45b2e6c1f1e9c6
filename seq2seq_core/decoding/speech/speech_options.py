"""Options of a search, which speech has none of: each is refused, in place of being ignored."""

from __future__ import annotations

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.errors import UserError


def check_speech_options(options: DecodingOptions, own: DecodingOptions) -> None:
    """Refuses options that are not those of the bundle.

    Args:
        options: asked for.
        own: of the bundle, which no request can change.

    Raises:
        UserError: one differs; names it.
    """
    for name in DecodingOptions.model_fields:
        if (asked := getattr(options, name)) != getattr(own, name):
            raise UserError(f"{name}: must be left out with a model of speech, which writes frames without a search; got {asked!r}")
