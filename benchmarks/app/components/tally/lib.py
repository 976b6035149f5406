"""What bench.py has of its own, in a component."""

from parabola import MutationCtx, mutation


@mutation
async def same(ctx: MutationCtx, n: int) -> int:
    return n
