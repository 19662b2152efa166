"""The store: what survives, what is refused, and how jobs are leased."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

import pytest

from bridge import failpoint
from bridge.model import InboxId, LostLease, Number, Place, PostKey, Shows, Transient, Wanted
from bridge.model.admin_task import TellOfFailure
from bridge.model.task import BringPost, ReceiveMail
from bridge.store.database import Database
from bridge.store.leases import Leases

INBOX = InboxId("support")
NUMBERS = itertools.count()
CARD, QUEUE = PostKey.of_conversation(Shows.CARD, Number(1)), Place.queue(INBOX)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    await database.close()


async def test_a_cancelled_transaction_leaves_nothing_and_hinders_nobody(
    database: Database,
) -> None:
    for number in range(60):

        async def write(number: int = number) -> None:
            async with database.transaction("settings") as tx:
                await tx.settings.set_value(f"value{number}", "x")
                await asyncio.sleep(0)
                await tx.settings.set_value(f"other{number}", "x")

        task = asyncio.create_task(write())
        for _ in range(number % 12):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with database.transaction("settings") as tx:
        await tx.settings.set_value("last", "y")
    async with database.reading() as tx:
        assert await tx.settings.value("last") == "y"
        for number in range(60):
            whole = (
                await tx.settings.value(f"value{number}"),
                await tx.settings.value(f"other{number}"),
            )
            assert whole in ((None, None), ("x", "x"))


async def test_a_full_disk_is_transient(database: Database) -> None:
    failpoint.arm("settings:before:1:enospc")
    try:
        with pytest.raises(Transient, match="No space left"):
            async with database.transaction("settings") as tx:
                await tx.settings.set_value("a", "b")
        async with database.reading() as tx:
            assert await tx.settings.value("a") is None
    finally:
        failpoint.disarm()


async def add(database: Database, *lanes: str, run_after: float = 0.0) -> None:
    async with database.transaction("settings") as tx:
        for lane in lanes:
            await tx.jobs.add(BringPost(next(NUMBERS)), lane, run_after=run_after)


async def test_in_a_lane_only_the_oldest_runs(database: Database) -> None:
    leases = Leases(database)
    await add(database, "a", "a", "b")
    first = await leases.lease("w", 60, {"mail": 10})
    assert [job.lane for job in first] == ["a", "b"]
    assert await leases.lease("w", 60, {"mail": 10}) == []
    async with database.transaction("settings") as tx:
        await tx.jobs.finish(first[0])
    assert [job.lane for job in await leases.lease("w", 60, {"mail": 10})] == ["a"]


async def mails(database: Database, count: int, *but: str) -> list[int]:
    """Jobs for so many mails of one lane; `but` is SQL that changes the third one. Their ids."""
    async with database.transaction("settings") as tx:
        for _ in range(count):
            await tx.jobs.add(ReceiveMail(next(NUMBERS)), "inbox:a:receive", run_after=1.0)
        ids = [row["id"] for row in await tx.conn.fetch("SELECT id FROM job ORDER BY id")]
        for sql in but:
            await tx.conn.execute(f"UPDATE job SET {sql} WHERE id = $1", ids[2])
    return ids


async def test_mails_that_follow_each_other_are_taken_together(database: Database) -> None:
    leases = Leases(database)
    ids = await mails(database, ReceiveMail.run + 3)
    taken = await leases.lease("w", 60, {"mail": 1})
    assert [job.id for job in taken] == ids[: ReceiveMail.run]
    assert await leases.lease("other", 60, {"mail": 9}) == []
    async with database.transaction("settings") as tx:
        for job in taken:
            await tx.jobs.finish(job)
    assert [job.id for job in await leases.lease("w", 60, {"mail": 1})] == ids[ReceiveMail.run :]


@pytest.mark.parametrize("but", ["run_after = 9e9", "leases = 1", "kind = 'post'"])
async def test_no_mail_is_taken_past_one_that_has_to_wait(database: Database, but: str) -> None:
    ids = await mails(database, 5, but)
    taken = await Leases(database).lease("w", 60, {"mail": 9})
    assert [job.id for job in taken] == ids[:2]


async def test_a_dead_mail_holds_up_no_other(database: Database) -> None:
    ids = await mails(database, 5, "dead_at = 1.0")
    taken = await Leases(database).lease("w", 60, {"mail": 9})
    assert [job.id for job in taken] == [*ids[:2], *ids[3:]]


async def test_mails_that_were_tried_before_are_taken_alone(database: Database) -> None:
    leases = Leases(database)
    ids = await mails(database, ReceiveMail.run + 4)
    taken = await leases.lease("w", 60, {"mail": 9})
    await leases.give_back(taken)
    for id_ in ids[: ReceiveMail.run]:
        (alone,) = await leases.lease("w", 60, {"mail": 9})
        assert alone.id == id_
        async with database.transaction("settings") as tx:
            await tx.jobs.finish(alone)
    assert [job.id for job in await leases.lease("w", 60, {"mail": 9})] == ids[ReceiveMail.run :]


async def test_suspects_behind_one_that_waits_hold_up_no_other_inbox(database: Database) -> None:
    """As after a crash, when one of two inboxes whose mail was being read is paused."""
    leases = Leases(database)
    async with database.transaction("settings") as tx:
        for lane in "aaabbb":
            await tx.jobs.add(ReceiveMail(next(NUMBERS)), lane, run_after=1.0)
    assert len(await leases.lease("dead", 60, {"mail": 9})) == 6
    async with database.transaction("started") as tx:
        await database._engine.free_jobs_of_dead_workers(tx.conn)
    done = []
    for _ in range(4):
        for job in await leases.lease("w", 60, {"mail": 9}):
            if job.lane == "a":
                await leases.put_back(job, 3600.0, "the inbox is paused", counts=False)
                continue
            done.append(job.lane)
            async with database.transaction("settings") as tx:
                await tx.jobs.finish(job)
    assert done == ["b", "b", "b"]


async def test_a_job_that_another_lease_has_is_neither_freed_nor_dead(database: Database) -> None:
    leases = Leases(database)
    await add(database, "a")
    (old,) = await leases.lease("w", -1, {"mail": 1})
    (now,) = await leases.lease("w", 60, {"mail": 1})
    await leases.give_back([old])
    await leases.put_back(old, 0.0, "late", counts=True)
    await leases.mark_dead(old, "late")
    assert await leases.lease("w", 60, {"mail": 1}) == []
    async with database.transaction("settings") as tx:
        await tx.jobs.finish(now)
    async with database.reading() as tx:
        assert await tx.jobs.counts() == {}


async def test_a_job_that_waits_holds_its_lane(database: Database) -> None:
    await add(database, "a", run_after=time.time() + 60)
    await add(database, "a", "b")
    assert [job.lane for job in await Leases(database).lease("w", 60, {"mail": 10})] == ["b"]


@pytest.mark.parametrize("way", ["hasten", "hurry"])
async def test_what_comes_while_a_job_runs_that_waits_for_it_is_not_missed(
    database: Database, way: str
) -> None:
    """As when an inbox goes on while a delivery finds it paused."""
    leases = Leases(database)
    async with database.transaction("settings") as tx:
        await tx.jobs.add(BringPost(1), "a")
    (job,) = await leases.lease("w", 60, {"mail": 1})
    async with database.transaction("settings") as tx:
        if way == "hasten":
            await tx.jobs.reschedule(BringPost(1), time.time())
        else:
            await tx.jobs.run_now([BringPost])
    assert await leases.lease("w", 60, {"mail": 1}) == []
    await leases.put_back(job, 3600.0, "it is not there yet", counts=False)
    (again,) = await leases.lease("w", 60, {"mail": 1})
    await leases.put_back(again, 3600.0, "it is not there yet", counts=False)
    assert await leases.lease("w", 60, {"mail": 1}) == []


async def test_a_lost_lease_cannot_finish(database: Database) -> None:
    leases = Leases(database)
    await add(database, "a")
    (job,) = await leases.lease("w", -1, {"mail": 1})
    (again,) = await leases.lease("other", 60, {"mail": 1})
    assert again.id == job.id

    async def finish() -> None:
        async with database.transaction("settings") as tx:
            await tx.settings.set_value("written", "x")
            await tx.jobs.finish(job)

    with pytest.raises(LostLease):
        await finish()
    async with database.reading() as tx:
        assert await tx.settings.value("written") is None


async def test_a_dead_job_frees_its_lane_and_can_be_revived(database: Database) -> None:
    leases = Leases(database)
    await add(database, "a", "a")
    (job,) = await leases.lease("w", 60, {"mail": 1})
    await leases.mark_dead(job, "broken")
    second, telling = await leases.lease("w", 60, {"mail": 5})
    assert second.id != job.id
    assert telling.task == TellOfFailure(job.id, job.leases)
    async with database.transaction("settings") as tx:
        await tx.jobs.finish(telling)
    async with database.transaction("settings") as tx:
        await tx.jobs.finish(second)
        (dead,) = await tx.jobs.dead(9)
        assert (dead.id, dead.kind, dead.error, dead.failures) == (job.id, "post", "broken", 1)
        assert await tx.jobs.revive() == 1
    (revived,) = await leases.lease("w", 60, {"mail": 5})
    assert (revived.id, revived.failures) == (job.id, 0)


async def test_after_a_crash_leases_are_free_at_once(database: Database) -> None:
    leases = Leases(database)
    await add(database, "a")
    await leases.lease("dead", 3600, {"mail": 1})
    await database.register_process()
    assert len(await leases.lease("new", 60, {"mail": 1})) == 1


async def test_the_same_post_twice_is_one_and_a_changed_one_a_new_version(
    database: Database,
) -> None:
    async with database.transaction("settings") as tx:
        for text in ("one", "one", "two"):
            await tx.posts.put(Wanted.message(CARD, QUEUE, "@bot:x", {"body": text}))
        post = await tx.posts.by_key(CARD)
        assert post is not None
        assert (post.version, post.sent, post.content) == (2, 0, {"body": "two"})
        assert await tx.jobs.counts() == {"post": 1}


async def test_a_version_put_while_the_last_one_was_sent_gets_its_own_job(
    database: Database,
) -> None:
    leases = Leases(database)
    async with database.transaction("settings") as tx:
        await tx.posts.put(Wanted.message(CARD, QUEUE, "@bot:x", {"body": "one"}))
    (job,) = await leases.lease("w", 60, {"mail": 1})
    async with database.transaction("settings") as tx:
        sending = await tx.posts.by_key(CARD)
        await tx.posts.put(Wanted.message(CARD, QUEUE, "@bot:x", {"body": "two"}))
    assert sending is not None
    async with database.transaction("settings") as tx:
        await tx.jobs.finish(job)
        await tx.posts.sent(sending, 1, None)
    assert len(await leases.lease("w", 60, {"mail": 1})) == 1


async def test_a_mail_is_accepted_once_for_each_source(database: Database) -> None:
    async with database.transaction("settings") as tx:
        raw = await tx.mails.keep_raw(b"mail")
        assert await tx.mails.keep_raw(b"mail") == raw
        assert await tx.mails.accept(INBOX, "imap:1", raw, "", 1.0) is not None
        assert await tx.mails.accept(INBOX, "imap:1", raw, "", 2.0) is None
        assert await tx.mails.raw(raw) == b"mail"
