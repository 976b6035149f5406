"""Which accounts a transfer is between: any two, or mostly the same few."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["ACCOUNTS", "BALANCE", "SKEW", "pairs"]

ACCOUNTS = 20_000
BALANCE = 1000
SKEW = 1.5
"""Exponent of Zipf's law: the first account is in 38 of 100 transfers, the first ten in 77."""


def pairs(seed: int, *, skewed: bool, accounts: int = ACCOUNTS) -> Iterator[tuple[int, int]]:
    """Two different ones of so many accounts, over and over."""
    chance = np.random.default_rng(seed)
    weights = np.arange(1, accounts + 1) ** -SKEW
    weights /= weights.sum()
    while True:
        numbers = chance.choice(accounts, 4096, p=weights) if skewed else chance.integers(0, accounts, 4096)
        for payer, payee in numbers.reshape(-1, 2).tolist():
            if payer != payee:
                yield payer, payee
