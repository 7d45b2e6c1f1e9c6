"""Reproducible runs: seeds derived from the position in the run, and digests of values that shape a result."""

from __future__ import annotations

import hashlib
import json


def derive_seed(*parts: int | str) -> int:
    """A seed for one use of randomness, independent of all others: the first 63 bits of the SHA-256 of the parts.

    Reseeding at every update makes the random streams depend only on the position in the run, even if a library hides its state.

    Args:
        parts: the use, such as ``(seed, "update", epoch, index)``.
    """
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:8], "big") >> 1


def digest(value: object) -> str:
    """SHA-256, in hexadecimal digits, of a value of JSON's types; independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
