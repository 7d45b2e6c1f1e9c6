"""Rendezvous of the ranks of one attempt, in a store that still has the keys of a failed attempt.

After a failure ``torchrun`` restarts all ranks with the same store. A rank could find the address of a dead rank there. So rank 0
draws a prefix for the keys of each attempt. Every other rank asks for it under a fresh random token, so that it never reads the
prefix of an earlier attempt. The number of restarts cannot be the prefix: with several machines each ``torchrun`` counts its own.
"""

from __future__ import annotations

import secrets
import time
from datetime import timedelta

from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]

POLL_SECONDS = 0.02


def enter_attempt(store: Store, rank: int, number: int, timeout: timedelta) -> PrefixStore:
    """A view of the store with only the keys of this attempt; returns when all ranks have entered it.

    Args:
        store: the store that the ranks of this attempt, and perhaps of earlier ones, share.
        rank: rank of this process.
        number: number of ranks.
        timeout: how long to wait for another rank.

    Raises:
        RuntimeError: a rank did not come in time.
    """
    own = secrets.token_hex(8)
    if rank:
        store.set(f"asks/{rank}", own)
        store.wait([f"answers/{own}"], timeout)
        attempt = store.get(f"answers/{own}").decode()
        store.set(f"entered/{attempt}/{rank}", "")
        return PrefixStore(f"attempt/{attempt}", store)
    others, deadline = range(1, number), time.monotonic() + timeout.total_seconds()
    while missing := [other for other in others if not store.check([f"entered/{own}/{other}"])]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"rank {missing[0]} did not come within {timeout.total_seconds():g} s")
        for asks in [f"asks/{other}" for other in missing]:
            if store.check([asks]):
                store.set(f"answers/{store.get(asks).decode()}", own)
        time.sleep(POLL_SECONDS)
    return PrefixStore(f"attempt/{own}", store)
