"""Tell another program of a mail, as a rule wants it."""

from __future__ import annotations

import json

from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import tell_control
from bridge.model import Job, Permanent, PostKey, Shows, Transient
from bridge.model.task import CallHook

GIVE_UP = 86_400.0
"""Seconds after which a program that does not answer is given up."""


async def hook(desk: Desk, job: Job[CallHook]) -> None:
    """Deliver one event, at least once; its id tells the other side when it comes again."""
    call = job.task
    body = json.dumps(call.event, ensure_ascii=False, sort_keys=True).encode()
    problem = ""
    secret = desk.settings.webhook_secret.get_secret_value()
    try:
        await desk.hooks.deliver(call.url, call.id, body, secret, int(desk.now()))
    except Transient as error:
        if desk.now() - call.at <= GIVE_UP:
            raise
        problem = f"{error}; given up after a day"
    except Permanent as error:
        problem = str(error)
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        if problem:
            await tell_control(
                tx, desk, PostKey.other(Shows.HOOK, problem), f"⚠️ A rule's {problem}."
            )
