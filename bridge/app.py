"""Builds, starts and stops the whole bridge."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from bridge.config.settings import Registration, Settings
from bridge.config.vault import Keys, Vault
from bridge.desk.admin import (
    access,
    janitor,
    status,
)
from bridge.desk.desk import Desk
from bridge.desk.directory import Directory
from bridge.desk.events import commands, listen
from bridge.desk.grants import Grants
from bridge.desk.inbound import receive
from bridge.desk.outbound import outage
from bridge.desk.team import setup
from bridge.desk.triage import remind, search
from bridge.dns.lookup import NameServers
from bridge.handlers import HANDLERS
from bridge.imap.folders import Folders
from bridge.ingress.http import HttpIngress
from bridge.ingress.listeners import MailListeners
from bridge.ingress.spool import SpoolWatcher
from bridge.ingress.watches import Watches
from bridge.mail.token import Tokens
from bridge.matrix.homeserver import Homeserver
from bridge.matrix.reconcile import Reconciler
from bridge.matrix.service import Service
from bridge.model import HomeserverError, Transient, task
from bridge.oauth.client import AuthorizationServers
from bridge.operate.probe import Prober
from bridge.sandbox.drawing import draw
from bridge.sandbox.reader import MailReader
from bridge.sandbox.starter import ReadingProcess
from bridge.smtp.sender import SmtpSender
from bridge.store.database import Database
from bridge.store.leases import Leases
from bridge.web.health import HealthPage
from bridge.web.listener import Listener, bind
from bridge.web.pages import Pages
from bridge.web.webhook import Hooks
from bridge.worker import Handler, Together, Worker

log = structlog.get_logger("app")

ALARM_EVERY = 15.0
"""Seconds between checks for alarms and reminders."""
CLEAN_EVERY = 3600.0
"""Seconds between cleanings of expired data, and between checks of the bridge's rooms."""


class App:
    """A running bridge. `async with App(settings, registration) as app: await app.run()`."""

    def __init__(
        self, settings: Settings, registration: Registration, reading: ReadingProcess | None = None
    ) -> None:
        """`reading`: a mail reading process of the caller, where several bridges share one."""
        self._settings, self._registration = settings, registration
        self._reading = reading
        self._tasks: list[asyncio.Task[None]] = []
        self._pinging: asyncio.Future[None] | None = None
        self._getting_ready: asyncio.Future[None] | None = None
        self._stop = contextlib.AsyncExitStack()

    async def __aenter__(self) -> App:
        try:
            await self._start()
        except BaseException:
            await self._stop.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [each for each in (*self._tasks, self._pinging, self._getting_ready) if each]
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stop.aclose()
        log.info("stopped")

    async def run(self) -> None:
        """Run until cancelled. Raises the error of a background task that ended."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()

    async def _start(self) -> None:
        await self._open_desk()
        await self.desk.directory.load(self.database)
        await search.order_index(self.database)
        await outage.try_at_start(self.desk)
        await access.begin(self.desk, alone=not self.database.is_shared)
        take = functools.partial(listen.store_events, self.desk)
        self.reconciler = Reconciler(self.homeserver, self.database, take)
        await self._listen(take)
        handlers: dict[type[task.Task], Handler] = {
            task: functools.partial(act, self.desk) for task, act in HANDLERS.items()
        }
        together: dict[type[task.Task], Together] = {
            task.ReceiveMail: functools.partial(receive.receive_together, self.desk)
        }
        worker = Worker(Leases(self.database), handlers, name=self.database.name, together=together)
        self.database.on_jobs = worker.wake
        self._spawn("worker", worker.run())
        self._getting_ready = asyncio.ensure_future(self.homeserver_ready())
        alone = self.database.run_exclusively
        self._spawn("reconciler", alone("reconciler", self._reconcile))
        self._spawn("alarms", alone("alarms", self._watch_health))
        self._spawn("janitor", alone("janitor", self._keep_house))
        self._spawn("spool", SpoolWatcher(self.desk).run())
        self._spawn("watches", Watches(self.database, self.desk, self.desk.grants).run())
        log.info("started", inboxes=list(self.desk.settings.inboxes))

    async def _open_desk(self) -> None:
        settings = self._settings
        self.database = await Database.open(settings.database)
        self._stop.push_async_callback(self.database.close)
        await self.database.register_process()
        prefix, server = settings.appservice.prefix, settings.homeserver.server_name
        token = self._registration.as_token.get_secret_value()
        self.homeserver = Homeserver(settings.homeserver.url, token, f"@{prefix}bot:{server}")
        await self.homeserver.start()
        self._stop.push_async_callback(self.homeserver.close)
        encryption_keys = settings.encryption_key.get_secret_value().split()
        vault = Vault(encryption_keys)
        async with self.database.transaction("settings") as tx:
            keys = Keys.of(
                encryption_keys, await tx.settings.secret(), await tx.settings.former_ids()
            )
        directory = Directory(settings, vault)
        credentials = Grants(self.database, directory, AuthorizationServers(), time.time)
        self._stop.push_async_callback(credentials.close)
        sender, mailbox = SmtpSender(credentials), Folders(credentials)
        reader = MailReader(self._started_reading())
        self._stop.callback(reader.close)
        self.desk = Desk(
            store=self.database,
            chat=self.homeserver,
            sender=sender,
            mailbox=mailbox,
            reader=reader,
            prober=Prober(sender, mailbox, credentials, Tokens(keys.ids, keys.former)),
            hooks=Hooks(),
            names=NameServers(settings.name_servers),
            directory=directory,
            grants=credentials,
            keys=keys,
            now=time.time,
            draw=draw,
            command_words=commands.WORDS,
        )

    def _started_reading(self) -> ReadingProcess:
        if self._reading is not None:
            return self._reading
        reading = ReadingProcess()
        self._stop.callback(reading.close)
        reading.start()
        return reading

    async def _listen(self, take: Callable[[list[object]], Awaitable[int]]) -> None:
        settings, notice = self._settings, functools.partial(listen.store_receipts, self.desk)
        self.service = Service(
            take, notice, self._ping_after_refused_push, settings.homeserver, self._registration
        )
        self._stop.push_async_callback(self.service.stop)
        await bind(
            "appservice", settings.appservice.host, settings.appservice.port, self.service.start
        )
        listeners = MailListeners(self.desk)
        await listeners.start()
        self._stop.push_async_callback(listeners.close)
        health = HealthPage(self.database, self.desk.directory, self.homeserver)
        await bind("health", settings.health.host, settings.health.port, health.listener.start)
        self._stop.push_async_callback(health.listener.close)
        if settings.public_url:
            self.posts = posts = HttpIngress(self.desk)
            there = dict.fromkeys(posts.paths, posts.there)
            public = Listener({**Pages(self.desk).routes, **there},
                              dict.fromkeys(posts.paths, posts.take))  # fmt: skip
            await bind("public", settings.public.host, settings.public.port, public.start)
            self._stop.push_async_callback(public.close)

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    def _ping_after_refused_push(self) -> None:
        """Ping the homeserver shortly after we refused its first push on purpose: a ping makes
        it send the push again at once."""
        self._pinging = asyncio.ensure_future(self._ping(after=0.2))

    async def _ping(self, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        try:
            await self.homeserver.ping(self._registration.id)
        except (Transient, HomeserverError) as error:
            log.info("ping failed", error=str(error))

    async def _reconcile(self) -> None:
        await self.homeserver_ready()
        await self._ping()
        await self.reconciler.run()

    async def homeserver_ready(self) -> None:
        """Wait until the homeserver answers and the bot is registered there."""
        tries = 0
        while True:
            try:
                await self.homeserver.ensure_ghost(self.homeserver.bot)
                return
            except (Transient, HomeserverError) as error:
                log.warning("the homeserver is not ready", error=str(error))
                tries += 1
                await asyncio.sleep(min(30.0, 0.5 * 2 ** min(tries, 6)))

    async def _watch_health(self) -> None:
        while True:
            await asyncio.sleep(ALARM_EVERY)
            for look in (status.watch, access.watch, remind.remind):
                try:
                    await look(self.desk)
                except Exception as error:  # noqa: BLE001 - mail goes on, whatever an alarm raises
                    log.warning("alarms not looked at", error=f"{type(error).__name__}: {error}")

    async def _keep_house(self) -> None:
        """Delete expired data at start and every hour, then check the bridge's rooms and invite
        again whom the homeserver refused to invite."""
        while True:
            try:
                while await janitor.clean(self.desk):  # noqa: ASYNC110 - a pause between batches
                    await asyncio.sleep(1.0)
                await asyncio.sleep(CLEAN_EVERY)
                await setup.add_setup_jobs(self.desk)
            except Exception as error:  # noqa: BLE001 - mail goes on, whatever a cleaning raises
                log.warning("nothing cleaned", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(CLEAN_EVERY)
