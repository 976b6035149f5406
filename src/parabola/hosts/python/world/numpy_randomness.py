"""NumPy's own randomness inside queries and mutations, from the execution's seed (js-runtime 5.1).

`numpy.random.default_rng()` asks the system for a seed and so gets the execution's. The functions of
`numpy.random` itself share one generator for the whole process, whose state would carry from one call to
the next: inside queries and mutations, and while modules are imported, each execution has one of its own.
"""

from __future__ import annotations

import functools
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

from parabola.hosts.python.world.frozen_world import FrozenWorld, frozen_world

__all__ = ["seed_numpy"]

_NAME: Final = "numpy.random"
_AROUND: Final = {"seed": "seed", "sample": "random_sample", "ranf": "random_sample"}
"""Functions of the module that are no methods of its generator, and the methods that they call."""

_installed = False


def seed_numpy() -> None:
    """See to `numpy.random` now or when it is imported, which may be inside a function, and once for all:
    outside of queries, mutations and imports nothing is different.
    """
    global _installed
    if _installed:
        return
    _installed = True
    if (module := sys.modules.get(_NAME)) is not None:
        _give_generators(module)
    else:
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Waits for NumPy's module among the finders of the import system, and finds nothing else."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != _NAME:
            return None
        spec = PathFinder.find_spec(name, path, target)
        loader: Any = None if spec is None else spec.loader
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _give_generators(module)

            loader.exec_module = exec_module
        return spec


def _give_generators(module: Any) -> None:
    """Replace what draws from the one generator, which NumPy calls `mtrand._rand`: its methods, and three
    functions around them.
    """
    shared = module.mtrand._rand
    for name in module.__all__:
        function = getattr(module, name)
        if name in _AROUND or getattr(function, "__self__", None) is shared:
            setattr(module, name, _of_the_execution(module, _AROUND.get(name, name), function))


def _of_the_execution(module: Any, name: str, original: Any) -> Any:
    @functools.wraps(original)
    def shim(*args: Any, **kwargs: Any) -> Any:
        world = frozen_world.get()
        if world is None:
            return original(*args, **kwargs)
        return getattr(_generator(module, world), name)(*args, **kwargs)

    return shim


def _generator(module: Any, world: FrozenWorld) -> Any:
    if world.numpy_random is None:
        world.numpy_random = module.RandomState(module.MT19937(world.random.getrandbits(128)))
    return world.numpy_random
