"""Calls the webhook of a rule, to tell another program about a mail."""

from __future__ import annotations

import json

from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import tell_control
from bridge.model import Job, Permanent, PostKey, Shows, Transient
from bridge.model.task import CallHook

GIVE_UP = 86_400.0
"""Seconds after which a webhook that does not answer is given up."""


async def hook(desk: Desk, job: Job[CallHook]) -> None:
    """Deliver one event at least once; its id lets the receiver recognise a repeat."""
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
