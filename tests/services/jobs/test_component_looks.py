"""Looks at what is due in components find what looking at all of them anew finds, and look at few."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from parabola.database.database import Database
from parabola.database.model.shown_rows import JobState, ScheduledJob
from parabola.database.snapshot import Snapshot
from parabola.database.store.sqlite import SqlitePersistence
from parabola.functions.deployed.component_rows import create_unmounted, remove_components
from parabola.services.jobs.component_looks import ComponentLooks, Found
from parabola.services.jobs.scheduled_jobs import JOBS, MUTATIONS, RUNNING, jobs_between
from parabola.values.encoding import Int64

FAR = 2**62


class World:
    """A database with components, and looks that say where they have been."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.looked_at: list[str] = []
        self.woken = 0
        self.ids: list[str] = [""]
        self.jobs: list[tuple[str, str]] = []
        self.looks = ComponentLooks(database, self.look_at)
        self.looks.wake = self.wake

    def wake(self) -> None:
        self.woken += 1

    async def look_at(self, view: Snapshot, now: int, most: int) -> Found[ScheduledJob]:
        self.looked_at.append(view.component)
        due = await jobs_between(view, MUTATIONS, RUNNING, now, most)
        coming = await jobs_between(view, MUTATIONS, now, FAR, 1)
        return Found(due, next((job.due_ns for job in coming), None))

    async def look(self, now: int) -> tuple[list[tuple[str, str]], int | None]:
        self.looked_at.clear()
        due, next_ts = await self.looks.look(now, 100)
        return sorted((component, job.id) for component, job in due), next_ts

    async def look_anew(self, now: int) -> tuple[list[tuple[str, str]], int | None]:
        looks = ComponentLooks(self.database, self.look_at)
        due, next_ts = await looks.look(now, 100)
        looks.forget()
        return sorted((component, job.id) for component, job in due), next_ts

    async def mount(self) -> None:
        made = await self.database.transact(
            lambda tx: create_unmounted(tx, [f"c{len(self.ids)}"], {}), source="test"
        )
        self.ids += made.values()

    async def remove(self, place: int) -> None:
        if id := self.ids[place % len(self.ids)]:
            self.ids.remove(id)
            self.jobs = [(component, job) for component, job in self.jobs if component != id]
            await self.database.transact(lambda tx: remove_components(tx, [id]), source="test")

    async def add(self, place: int, due: int) -> None:
        job = ScheduledJob(
            udf_path="m:f",
            args="[]",
            original_scheduled_ts=0.0,
            state=JobState(type="pending"),
            lane=MUTATIONS,
            next_ts=Int64(due),
        )
        id = self.ids[place % len(self.ids)]
        row = await self.database.transact(
            lambda tx: tx.view(id).insert_system(JOBS, job.fields()), source="test"
        )
        self.jobs.append((id, row))

    async def end(self, place: int) -> None:
        if self.jobs:
            component, id = self.jobs.pop(place % len(self.jobs))
            await self.database.transact(lambda tx: tx.view(component).delete_system(id), source="test")


async def opened(directory: Path) -> World:
    return World(await Database.open(SqlitePersistence.open(directory)))


STEPS = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 9), st.integers(10, 40)),
    st.tuples(st.just("end"), st.integers(0, 9)),
    st.tuples(st.just("mount")),
    st.tuples(st.just("remove"), st.integers(0, 9)),
    st.tuples(st.just("pass"), st.integers(1, 10)),
)


async def follow(directory: Path, steps: list[tuple[Any, ...]]) -> None:
    world, now = await opened(directory), 9
    try:
        for name, *args in steps:
            if name == "pass":
                now += args[0]
            else:
                await getattr(world, name)(*args)
            assert await world.look(now) == await world.look_anew(now)
    finally:
        await world.database.close()


@settings(max_examples=40)
@given(st.lists(STEPS, max_size=12))
def test_looks_find_what_looking_at_everything_finds(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(follow(Path(directory), steps))


async def test_only_where_something_has_changed_or_is_due_is_looked_again(tmp_path: Path) -> None:
    world = await opened(tmp_path)
    for _ in range(5):
        await world.mount()
    one, two = world.ids[1], world.ids[2]
    await world.look(10)
    assert sorted(world.looked_at) == sorted(world.ids)
    await world.look(11)
    assert world.looked_at == []
    woken = world.woken
    await world.add(1, 20)
    assert world.woken == woken + 1
    assert await world.look(12) == ([], 20)
    assert world.looked_at == [one]
    await world.add(2, 30)
    await world.look(13)
    assert world.looked_at == [two]
    # What is due is looked at until it is over.
    for now in (21, 22):
        assert (await world.look(now))[0] == [(one, world.jobs[0][1])]
        assert world.looked_at == [one]
    await world.end(0)
    await world.look(23)
    assert world.looked_at == [one]
    await world.look(24)
    assert world.looked_at == []
    await world.database.close()


async def test_what_is_forgotten_is_looked_at_anew(tmp_path: Path) -> None:
    world = await opened(tmp_path)
    await world.mount()
    await world.look(10)
    world.looks.forget()
    await world.look(10)
    assert sorted(world.looked_at) == sorted(world.ids)
    await world.database.close()
