"""Your functions in your own test suite: a whole backend inside the test's process.

::

    import pytest
    from parabola.testing import open_backend

    async def test_a_task_is_listed() -> None:
        async with open_backend("convex") as backend:
            await backend.mutation("tasks:create", text="milk")
            tasks = await backend.query("tasks:list")
            assert [task["text"] for task in tasks] == ["milk"]

Data is kept in a temporary directory and is gone afterwards. User code runs in this very process, so
breakpoints, coverage and `print` work as in any test; the limits that need a process of its own (a query that
loops for ever) are not enforced.
"""

from parabola.testing.backend import FunctionFailed, InProcessBackend, open_backend
from parabola.testing.http_requests import Answer

__all__ = ["Answer", "FunctionFailed", "InProcessBackend", "open_backend"]
