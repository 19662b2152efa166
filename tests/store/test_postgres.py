"""PostgreSQL: several processes on one database, and what happens when it goes away."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from bridge.model import LostLease, Permanent, Transient
from bridge.model.task import BringPost
from bridge.store.database import Database
from bridge.store.leases import Leases
from tests.servers.postgres import PostgresServer
from tests.stage import until

NUMBERS = itertools.count()


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.create()


async def add(database: Database, *lanes: str) -> None:
    async with database.transaction("settings") as tx:
        for lane in lanes:
            await tx.jobs.add(BringPost(next(NUMBERS)), lane)


async def test_processes_that_start_together_migrate_once(url: str) -> None:
    opened = await asyncio.gather(*(Database.open(url) for _ in range(5)))
    async with opened[0].reading() as tx:
        rows = await tx.conn.fetch("SELECT version FROM postroom_version")
    assert len(rows) == 1
    await asyncio.gather(*(database.close() for database in opened))


async def test_no_job_is_leased_twice_by_processes_that_ask_at_once(url: str) -> None:
    opened = await asyncio.gather(*(Database.open(url) for _ in range(4)))
    await add(opened[0], *(f"lane{n % 40}" for n in range(200)))
    taken: list[int] = []

    async def work(database: Database) -> None:
        leases = Leases(database)
        while jobs := await leases.lease(database.name, 60, {"mail": 7}):
            assert len({job.lane for job in jobs}) == len(jobs)
            for job in jobs:
                taken.append(job.id)
                async with database.transaction("settings") as tx:
                    await tx.jobs.finish(job)

    deadline = time.monotonic() + 30
    while len(taken) < 200 and time.monotonic() < deadline:
        await asyncio.gather(*(work(database) for database in opened))
    assert sorted(taken) == sorted(set(taken))
    assert len(taken) == 200
    await asyncio.gather(*(database.close() for database in opened))


async def test_an_added_job_wakes_the_other_process_at_once(url: str) -> None:
    one, other = await Database.open(url), await Database.open(url)
    await other.register_process()
    woken = asyncio.Event()
    other.on_jobs = woken.set
    await add(one, "a")
    async with asyncio.timeout(2):
        await woken.wait()
    await asyncio.gather(one.close(), other.close())


async def test_what_one_process_does_alone_another_takes_over_when_it_dies(url: str) -> None:
    one, other = await Database.open(url), await Database.open(url)
    doing: list[str] = []

    async def work(name: str) -> None:
        doing.append(name)
        await asyncio.Event().wait()

    first = asyncio.create_task(one.run_exclusively("imap:x", lambda: work("one")))
    await until(lambda: doing == ["one"], "the first to work")
    second = asyncio.create_task(other.run_exclusively("imap:x", lambda: work("other")))
    await asyncio.sleep(1.5)
    assert doing == ["one"]
    first.cancel()
    await one.close()
    await until(lambda: doing == ["one", "other"], "the second to take over")
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    await other.close()


async def test_jobs_of_a_dead_process_are_free_at_the_next_start_and_those_of_a_live_one_are_not(
    url: str,
) -> None:
    one, other = await Database.open(url), await Database.open(url)
    await one.register_process()
    await add(one, "a", "b")
    assert len(await Leases(one).lease(one.name, 3600, {"mail": 1})) == 1
    assert len(await Leases(one).lease("dead", 3600, {"mail": 1})) == 1
    await other.register_process()
    (freed,) = await Leases(other).lease(other.name, 3600, {"mail": 5})
    assert freed.lane == "b"
    await asyncio.gather(one.close(), other.close())


async def test_decisions_are_made_one_after_the_other(url: str) -> None:
    """Two read-then-write transactions at once: the second sees what the first wrote."""
    one, other = await Database.open(url), await Database.open(url)

    async def count(database: Database) -> None:
        async with database.transaction("event") as tx:
            value = int(await tx.settings.value("count") or 0)
            await asyncio.sleep(0.001)
            await tx.settings.set_value("count", str(value + 1))

    await asyncio.gather(*(count(database) for database in (one, other) * 20))
    async with one.reading() as tx:
        assert await tx.settings.value("count") == "40"
    await asyncio.gather(one.close(), other.close())


async def test_connections_that_break_are_transient_and_made_anew(
    url: str, postgres: PostgresServer
) -> None:
    database = await Database.open(url)
    await database.register_process()
    woken = asyncio.Event()
    database.on_jobs = woken.set

    async def broken() -> None:
        async with database.transaction("settings") as tx:
            name = url.rpartition("/")[2]
            postgres.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )
            await tx.settings.set_value("a", "b")

    with pytest.raises(Transient, match="the database does not answer"):
        await broken()
    async with database.transaction("settings") as tx:
        assert await tx.settings.value("a") is None
        await tx.settings.set_value("a", "c")
    woken.clear()

    async def context() -> bool:
        other = await Database.open(url)
        await add(other, "a")
        await other.close()
        return woken.is_set()

    await until(context, "the listener to be back")
    await database.close()


async def test_a_lost_lease_cannot_finish_in_another_process(url: str) -> None:
    one, other = await Database.open(url), await Database.open(url)
    await add(one, "a")
    (job,) = await Leases(one).lease(one.name, -1, {"mail": 1})
    assert len(await Leases(other).lease(other.name, 60, {"mail": 1})) == 1

    async def finish() -> None:
        async with one.transaction("settings") as tx:
            await tx.jobs.finish(job)

    with pytest.raises(LostLease):
        await finish()
    await asyncio.gather(one.close(), other.close())


async def test_what_cannot_be_opened_is_named_without_its_password(
    postgres: PostgresServer,
) -> None:
    away = f"postgres://bridge:geheim@127.0.0.1:{postgres.port}/nowhere"
    with pytest.raises(Permanent, match=r'bridge@127.*database "nowhere" does not exist') as told:
        await Database.open(away)
    assert "geheim" not in str(told.value)
    with pytest.raises(Permanent, match="cannot be opened"):
        await Database.open("postgres://bridge@127.0.0.1:1/x")
