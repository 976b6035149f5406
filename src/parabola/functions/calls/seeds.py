"""Seeds of executions: unpredictable for roots, determined by the caller's seed for nested calls."""

from __future__ import annotations

import hashlib
import os
from typing import Final

__all__ = ["SEED_BYTES", "SeedSource", "nested_seed"]

SEED_BYTES: Final = 16
_POOL_SEEDS: Final = 256


class SeedSource:
    """Seeds from the system's randomness, fetched in pieces large enough to cost nothing."""

    def __init__(self) -> None:
        self._pool: list[str] = []

    def next(self) -> str:
        """32 hex digits."""
        if not self._pool:
            digits = os.urandom(SEED_BYTES * _POOL_SEEDS).hex()
            self._pool = [digits[i : i + 2 * SEED_BYTES] for i in range(0, len(digits), 2 * SEED_BYTES)]
        return self._pool.pop()


def nested_seed(seed: str, number: int) -> str:
    """The seed of the `number`-th call nested in an execution."""
    return hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=SEED_BYTES).hexdigest()
