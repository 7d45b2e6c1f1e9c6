"""What makes two runs end in the same weights: seeds that follow from the place in the run, and digests of what shapes a result."""

from __future__ import annotations

import hashlib
import json


def derive_seed(*parts: int | str) -> int:
    """A seed for one use of randomness, independent of all others: the first 63 bits of the SHA-256 of the parts.

    Reseeding at every update makes the random streams a function of the place in the run, also where a library hides its state.

    Args:
        parts: what the seed belongs to, such as ``(seed, "update", epoch, index)``.
    """
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:8], "big") >> 1


def digest(value: object) -> str:
    """SHA-256, in hexadecimal digits, of a value of JSON's types; independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
