"""Randomness inside queries and mutations: one stream from the execution's seed (js-runtime 5.1).

`random`, `uuid`, `secrets` and `os.urandom` all draw from it, so that an execution can be repeated;
outside they are what they always were. A `random.Random` that is given a seed is deterministic already.
"""

from __future__ import annotations

import functools
import os
import random
import uuid
from typing import Any

from parabola.hosts.python.world.frozen_world import confined_world, frozen_world
from parabola.hosts.python.world.replacements import Replacements

__all__ = ["seed_randomness"]


def seed_randomness(replacements: Replacements) -> None:
    """Replace the sources of randomness of the standard library."""
    for name in random.__all__:
        function = getattr(random, name)
        if getattr(function, "__self__", None) is random._inst:
            _replace_module_function(replacements, name, function)
    _replace_unseeded(replacements)
    _replace_bytes(replacements, os, "urandom")
    _replace_bytes(replacements, random, "_urandom")
    if hasattr(os, "getrandom"):
        _replace_bytes(replacements, os, "getrandom")
    _replace_uuid1(replacements)


def _replace_module_function(replacements: Replacements, name: str, original: Any) -> None:
    @functools.wraps(original)
    def shim(*args: Any, **kwargs: Any) -> Any:
        world = frozen_world.get()
        return original(*args, **kwargs) if world is None else getattr(world.random, name)(*args, **kwargs)

    replacements.set(random, name, shim)


def _replace_unseeded(replacements: Replacements) -> None:
    original = random.Random.seed

    @functools.wraps(original)
    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        world = frozen_world.get()
        if a is None and world is not None:
            a = world.random.getrandbits(128)
        original(self, a, version)

    replacements.set(random.Random, "seed", seed)


def _replace_bytes(replacements: Replacements, module: Any, name: str) -> None:
    original = getattr(module, name)

    @functools.wraps(original)
    def shim(size: int, *args: Any) -> bytes:
        world = confined_world()  # what a library keeps secret from its import on must not be guessed
        drawn: bytes = original(size, *args) if world is None else world.random_bytes(size)
        return drawn

    replacements.set(module, name, shim)


def _replace_uuid1(replacements: Replacements) -> None:
    original = uuid.uuid1

    @functools.wraps(original)
    def uuid1(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
        world = frozen_world.get()
        if world is None:
            return original(node, clock_seq)
        # 100 ns steps since 1582, as RFC 9562 has it; the node is drawn, with the multicast bit set.
        timestamp = world.read_clock_ns() // 100 + 0x01B21DD213814000
        sequence = world.random.getrandbits(14) if clock_seq is None else clock_seq
        drawn = world.random.getrandbits(48) | (1 << 40) if node is None else node
        return uuid.UUID(
            fields=(
                timestamp & 0xFFFFFFFF,
                (timestamp >> 32) & 0xFFFF,
                (timestamp >> 48) & 0x0FFF,
                (sequence >> 8) & 0x3F,
                sequence & 0xFF,
                drawn,
            ),
            version=1,
        )

    replacements.set(uuid, "uuid1", uuid1)
