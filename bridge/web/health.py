"""`/health` and `/metrics`: whether the bridge works, and its metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web

from bridge import metrics
from bridge.config.inbox import Inbox
from bridge.desk.directory import Directory
from bridge.model import CONTROL, SendingProblem, Transient
from bridge.model.task import FillRoom, RemakeRoom, SetUp, UploadFile
from bridge.ports import Store, Tx
from bridge.web.listener import Listener

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Health = tuple[float, str, float]
STALE = 600.0
"""Seconds (or three poll intervals, if longer) without a successful check after which an account
counts as down."""


class Homeserver(Protocol):
    """`away_since`: since when it has not answered, None while it does; `troubles`: what does not
    work there though it answers, by part."""

    away_since: float | None

    @property
    def troubles(self) -> Mapping[str, str]: ...


class HealthPage:
    """Answers 200 if everything works, 503 if a part does not; the JSON names each part."""

    def __init__(self, store: Store, directory: Directory, homeserver: Homeserver) -> None:
        self._store, self._directory, self._homeserver = store, directory, homeserver
        self.listener = Listener({"/health": self._show, "/metrics": self._metrics})

    async def _show(self, request: web.Request) -> web.Response:
        now = time.time()
        parts: dict[str, Any] = self._matrix()
        try:
            async with self._store.reading() as tx:
                parts["database"] = "ok"
                parts["jobs"] = await tx.jobs.counts()
                parts["oldest_job_seconds"] = round(now - (await tx.jobs.oldest_due(now) or now))
                parts |= await _work(tx)
                for inbox, health in await self._inboxes(tx):
                    parts[f"inbox {inbox.id}"] = _inbox(inbox, health, now)
                for inbox in self._directory.settings.inboxes.values():  # those that only send
                    parts.setdefault(f"inbox {inbox.id}", "paused" if inbox.paused else "ok")
                for inbox, outage in await self._senders(tx):
                    parts[f"sending {inbox.id}"] = outage.said[:200] if outage else "ok"
        except Transient as error:
            parts["database"] = str(error)
        for name, problem in self._directory.problems.items():
            parts[f"inbox {name}"] = problem
        numbers = ("jobs", "oldest_job_seconds")
        good = all(value in ("ok", "paused") for key, value in parts.items() if key not in numbers)
        return web.json_response(parts, status=200 if good else 503)

    def _matrix(self) -> dict[str, Any]:
        away = self._homeserver.away_since is not None
        parts = {"homeserver": "does not answer" if away else "ok"}
        return {**parts, "bot": "ok", "ghosts": "ok", "media": "ok", **self._homeserver.troubles}

    async def _inboxes(self, tx: Tx) -> list[tuple[Inbox, Health | None]]:
        """Each inbox with a source of mail, and the health of its account."""
        return [
            (inbox, await tx.settings.health(account))
            for account, inboxes in self._directory.settings.accounts().items()
            for inbox in inboxes
        ]

    async def _senders(self, tx: Tx) -> list[tuple[Inbox, SendingProblem | None]]:
        """Each inbox that may send, and why it cannot."""
        settings = self._directory.settings
        return [
            (inbox, await tx.sending.get(settings.sending_account(inbox)))
            for inbox in settings.inboxes.values()
            if inbox.smtp is not None and not inbox.paused
        ]

    async def _metrics(self, request: web.Request) -> web.Response:
        now = time.time()
        metrics.homeserver_up.set(self._homeserver.away_since is None)
        parts = self._matrix()
        try:
            async with self._store.reading() as tx:
                parts |= await _work(tx)
                metrics.set_part_gauges({name: text == "ok" for name, text in parts.items()})
                age = now - (await tx.jobs.oldest_due(now) or now)
                metrics.set_job_gauges(await tx.jobs.counts(), age)
                metrics.smtp_up.clear()
                for inbox, problem in await self._senders(tx):
                    metrics.smtp_up.labels(inbox.id).set(problem is None)
                metrics.imap_up.clear()
                metrics.imap_check_age.clear()
                for inbox, health in await self._inboxes(tx):
                    if health is not None:
                        up = _inbox(inbox, health, now) == "ok"
                        metrics.imap_up.labels(inbox.id).set(up)
                        metrics.imap_check_age.labels(inbox.id).set(now - health[0])
        except Transient as error:
            return web.Response(status=503, text=str(error))
        return web.Response(body=metrics.page(), headers={"Content-Type": CONTENT_TYPE})


async def _work(tx: Tx) -> dict[str, Any]:
    """What rooms are still to be made, which jobs failed, and who cannot be invited to where the
    admins are told of that. Errors of jobs may hold addresses: they are told there."""
    parts = {"rooms": "ok", "work": "ok", "invitations": "ok"}
    for job in await tx.jobs.failing(20):
        if isinstance(job.task, SetUp | FillRoom):
            parts["rooms"] = f"{job.task.title}: {job.error or 'waits'}"
        elif isinstance(job.task, RemakeRoom):
            parts["rooms"] = f"{job.task.title}: #{job.task.number}"
        elif isinstance(job.task, UploadFile):
            parts["media"] = f"{job.task.title}: tried again"
        else:
            parts["work"] = f"{job.task.title}: failed {job.failures} times"
    for kind in (SetUp, FillRoom, RemakeRoom):
        for dead in await tx.jobs.dead_of(kind, 1):
            parts["rooms"] = f"{dead.task.title}: failed permanently"
    for post in await tx.posts.unsent_invitations(CONTROL):
        parts["invitations"] = f"{post.state_key} cannot be invited into the control room"
    return parts


def _inbox(inbox: Inbox, health: Health | None, now: float) -> str:
    if inbox.paused:
        return "paused"
    if health is None:
        return "not checked yet"
    good_at, problem, _ = health
    if problem:
        return problem
    patience = max(STALE, 3.0 * (inbox.imap.poll if inbox.imap is not None else 0))
    return "ok" if now - good_at < patience else f"no successful check for {patience:.0f} s"
