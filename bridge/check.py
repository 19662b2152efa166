"""`postroom check`: one line for each part that must work."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable

import aiosmtplib
from aiohttp import web

from bridge.config import Imap, Registration, Settings, Smtp
from bridge.egress import dial
from bridge.imap.account import connect
from bridge.imap.syntax import ImapError
from bridge.matrix.client import HomeserverError
from bridge.matrix.homeserver import Homeserver
from bridge.model import BridgeError
from bridge.store.database import Database

TIMEOUT = 30.0


async def check(settings: Settings, registration: Registration) -> bool:
    """Try homeserver, database and inboxes; prints one line each. True when all work."""
    results = [
        await _try("homeserver", lambda: _homeserver(settings, registration)),
        await _try("homeserver reaches us", lambda: _reached(settings, registration)),
        await _try("database", lambda: _database(settings)),
    ]
    for inbox in settings.inboxes.values():
        imap, smtp = inbox.imap, inbox.smtp
        if imap is not None:
            results.append(await _try(f"{inbox.id} imap", functools.partial(_imap, imap)))
        if smtp is not None:
            results.append(
                await _try(f"{inbox.id} smtp", functools.partial(_smtp, smtp, inbox.domain))
            )
    return all(results)


async def _try(what: str, attempt: Callable[[], Awaitable[str]]) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT):
            print(f"ok      {what}: {await attempt()}")
        return True
    except (BridgeError, ImapError, aiosmtplib.SMTPException, OSError) as error:
        print(f"FAILED  {what}: {str(error) or type(error).__name__}")
    return False


async def _homeserver(settings: Settings, registration: Registration) -> str:
    server = settings.homeserver.server_name
    bot = f"@{settings.appservice.prefix}bot:{server}"
    homeserver = Homeserver(settings.homeserver.url, registration.as_token.get_secret_value(), bot)
    await homeserver.start()
    try:
        try:
            await homeserver.ensure_ghost(bot)
        except HomeserverError as error:
            raise BridgeError(
                f"{settings.homeserver.url} does not know our token ({error.code}); name"
                f" {settings.appservice.registration} under app_service_config_files and restart"
                " Synapse"
            ) from error
        if await homeserver.encrypts_new_rooms():
            raise BridgeError(
                f"{settings.homeserver.url} encrypts new rooms, which the bridge cannot read; set"
                " encryption_enabled_by_default_for_room_type: off in Synapse"
            )
        return f"{settings.homeserver.url} knows {bot}"
    finally:
        await homeserver.close()


async def _reached(settings: Settings, registration: Registration) -> str:
    """The homeserver calls us back: on our own port, or on the running bridge's."""
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


async def _database(settings: Settings) -> str:
    try:
        database = await Database.open(settings.database)
    except BridgeError as error:
        if "in use" in str(error):
            return f"{settings.database} ({error})"
        raise
    await database.close()
    return settings.database


async def _imap(imap: Imap) -> str:
    connection = await connect(imap, timeout=TIMEOUT)
    try:
        counts = []
        for folder in imap.folders:
            _, _, exists = await connection.select(folder)
            counts.append(f"{folder}: {exists} mails")
        idle = "IDLE" if "IDLE" in connection.capabilities else f"no IDLE, polls each {imap.poll} s"
        return f"{imap.account}, {', '.join(counts)}, {idle}"
    finally:
        await connection.logout()


async def _smtp(smtp: Smtp, domain: str) -> str:
    client = await dial(smtp, domain)
    await client.quit()
    return f"{smtp.host}:{smtp.at_port}, {'logged in' if smtp.auth == 'password' else 'no log-in'}"
