"""How the ranks of one attempt find one another in a store that still has the keys of an attempt that died.

After a failure ``torchrun`` starts all ranks again and gives them the store of the dead ones. A rank that looks up the address of
another there may find that of its predecessor. So the keys of each attempt get a prefix that rank 0 draws. That the others do not
take an older one for it, each asks under a number of its own, which nobody asked under before. The number of restarts is no such
prefix: over several machines each ``torchrun`` counts its own.
"""

from __future__ import annotations

import secrets
import time
from datetime import timedelta

from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]

POLL_SECONDS = 0.02


def enter_attempt(store: Store, rank: int, number: int, timeout: timedelta) -> PrefixStore:
    """The store with the keys of this attempt alone; returns when all ranks have entered it.

    Args:
        store: which all ranks of this attempt, and perhaps of earlier ones, share.
        rank: of this process.
        number: of ranks.
        timeout: how long to wait for another.

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
