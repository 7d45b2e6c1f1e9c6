"""Turns the errors of broken connections between ranks into one fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from seq2seq_core.errors import first_line
from seq2seq_core.training.distributed.rank_environment import PeerLost


@contextmanager
def watch_peers() -> Iterator[None]:
    """A context for calls in which this rank waits for others.

    Raises:
        PeerLost: another rank has died or did not answer in time.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = first_line(error) or type(error).__name__
        raise PeerLost(f"another rank of this training has died or does not answer ({reason})") from error
