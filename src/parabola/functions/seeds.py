"""Seeds of executions: unpredictable for roots, determined by the caller's seed for nested calls."""

from __future__ import annotations

import hashlib
import os

SEED_BYTES = 16
_POOL_BYTES = 4096


class SeedSource:
    """Seeds from the system's randomness, fetched in pieces large enough to cost nothing."""

    def __init__(self) -> None:
        self._pool = ""

    def next(self) -> str:
        """32 hex digits."""
        pool = self._pool or os.urandom(_POOL_BYTES).hex()
        seed, self._pool = pool[: 2 * SEED_BYTES], pool[2 * SEED_BYTES :]
        return seed


def nested_seed(seed: str, number: int) -> str:
    """The seed of the `number`-th call nested in an execution."""
    return hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=SEED_BYTES).hexdigest()
