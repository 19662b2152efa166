"""`postroom check`: one line for each part that must work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from bridge.config.credentials import ConfiguredCredentials
from bridge.config.inbox import Inbox
from bridge.config.settings import Registration, Settings
from bridge.config.vault import Keys, Vault
from bridge.desk.directory import Directory
from bridge.desk.grants import Grants
from bridge.imap.folders import Folders
from bridge.mail.token import Tokens
from bridge.matrix.homeserver import Homeserver
from bridge.model import BridgeError
from bridge.model.oversight import Grade
from bridge.oauth.client import AuthorizationServers
from bridge.operate.check_homeserver import HomeserverCheck
from bridge.operate.probe import Prober
from bridge.ports import Credentials
from bridge.sandbox import lockdown
from bridge.sandbox.reader import MailReader
from bridge.sandbox.starter import ReadingProcess
from bridge.smtp.sender import SmtpSender
from bridge.store.database import Database

TIMEOUT = 30.0
WORDS = {Grade.GOOD: "ok    ", Grade.WARNING: "note  ", Grade.BAD: "FAILED"}


async def check(settings: Settings, registration: Registration) -> bool:
    """Try homeserver, database, mail parser and inboxes; prints a line for each. True when all
    work."""
    results = [
        await _homeserver(settings, registration),
        await _try("homeserver reaches us", lambda: _check_callback(settings, registration)),
        await _try("database", lambda: _database(settings)),
        await _try("reading mail", _reading),
    ]
    async with _inboxes(settings) as (directory, credentials, tokens):
        prober = Prober(SmtpSender(credentials), Folders(credentials), credentials, tokens)
        results += [await _inbox(prober, each) for each in directory.settings.inboxes.values()]
    for name, problem in directory.problems.items():
        print(f"FAILED  inbox {name}: {problem}")
        results.append(False)
    return all(results)


@asynccontextmanager
async def _inboxes(
    settings: Settings,
) -> AsyncIterator[tuple[Directory, Credentials, Tokens | None]]:
    """The inboxes of config.yaml, and those set up by chat; how they log in; and the tokens that
    mark a test mail, so that the bridge makes no room for it. Without a database only those of
    config.yaml, their passwords, and None."""
    encryption_keys = settings.encryption_key.get_secret_value().split()
    directory = Directory(settings, Vault(encryption_keys))
    try:
        database = await Database.open(settings.database)
    except BridgeError:
        print(
            "        inboxes: those set up by chat, and the mail to itself, are left out while the"
        )
        print("        database cannot be opened; !inbox test in the control room does both")
        yield directory, ConfiguredCredentials(), None
        return
    try:
        await directory.load(database)
        async with database.transaction("settings") as tx:
            keys = Keys.of(
                encryption_keys, await tx.settings.secret(), await tx.settings.former_ids()
            )
        grants = Grants(database, directory, AuthorizationServers(), time.time)
        yield directory, grants, Tokens(keys.ids, keys.former)
    finally:
        await database.close()


async def _inbox(prober: Prober, inbox: Inbox) -> bool:
    good = True
    async for finding in prober.test(inbox):
        good = good and finding.grade is not Grade.BAD
        print(f"{WORDS[finding.grade]}  inbox {inbox.id}: {finding.text}")
    return good


async def _try(what: str, attempt: Callable[[], Awaitable[str]]) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT):
            print(f"ok      {what}: {await attempt()}")
        return True
    except (BridgeError, OSError) as error:
        print(f"FAILED  {what}: {str(error) or type(error).__name__}")
    return False


async def _homeserver(settings: Settings, registration: Registration) -> bool:
    good = True
    try:
        async with asyncio.timeout(TIMEOUT):
            async for finding in HomeserverCheck(settings, registration).findings():
                good = good and finding.grade is not Grade.BAD
                print(f"{WORDS[finding.grade]}  homeserver: {finding.text}")
    except TimeoutError:
        print(f"FAILED  homeserver: no answer in {TIMEOUT:.0f} s")
        return False
    return good


async def _check_callback(settings: Settings, registration: Registration) -> str:
    """Check that the homeserver can call us back: this check, or the bridge that runs already."""
    token = registration.as_token.get_secret_value()
    server = settings.homeserver.server_name
    bot = f"@{settings.appservice.prefix}bot:{server}"
    homeserver = Homeserver(settings.homeserver.url, token, bot)
    await homeserver.start()
    app = web.Application()
    app.router.add_post("/_matrix/app/v1/ping", _pong)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        listener = settings.appservice
        try:
            await web.TCPSite(runner, listener.host, listener.port).start()
            by = "this check"
        except OSError:
            by = "the bridge that runs already"
        await homeserver.ensure_ghost(bot)
        await homeserver.ping(registration.id)
        return f"at {listener.reached_at} ({by} answered)"
    finally:
        await runner.cleanup()
        await homeserver.close()


async def _pong(request: web.Request) -> web.Response:
    return web.json_response({})


async def _reading() -> str:
    process = ReadingProcess()
    try:
        return lockdown.restrictions_text(await MailReader(process).restrictions())
    finally:
        process.close()


async def _database(settings: Settings) -> str:
    try:
        database = await Database.open(settings.database)
    except BridgeError as error:
        if "in use" in str(error):
            return f"{settings.database_name} ({error})"
        raise
    await database.close()
    return settings.database_name
