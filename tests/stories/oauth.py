"""An inbox at a provider with OAuth2, and its admin who logs it in."""

from __future__ import annotations

import asyncio
import re
import smtplib
from typing import Any

from tests.servers.dovecot import DovecotServer
from tests.servers.matrix_state import Room
from tests.servers.oauth import AuthorizationServer
from tests.stage import ADMIN, ALICE, SUPPORT, Stage, mail, until
from tests.stories.desk import control_room

SCOPES = ["https://mail.example/imap", "openid"]
LINK = re.compile(r"http://127\.0\.0\.1:\d+/authorize\S+")


def configured(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer, **client: Any
) -> dict[str, Any]:
    """The configuration of an inbox at the provider, which is called microsoft."""
    stage.smtp.lets_in = lambda user, token: provider.tokens.get(token) == user
    servers = {"host": "127.0.0.1", "tls": "none", "user": SUPPORT, "oauth": "microsoft"}
    config = stage.config(
        imap={**servers, "port": mailbox.imap_port, "poll": 1},
        smtp={**servers, "port": stage.smtp.port},
    )
    config["oauth"] = {"microsoft": provider.client(scopes=SCOPES, **client)}
    return config


async def link_in(stage: Stage, control: Room, after: int = 0) -> str:
    """The newest link to log in at the provider, of those after the first messages."""

    def found() -> str:
        for body in reversed(stage.hs.bodies(control)[after:]):
            if match := LINK.search(body):
                return match[0]
        return ""

    return str(await until(found, lambda: f"a link in {stage.hs.bodies(control)}"))


async def logged_in(stage: Stage, provider: AuthorizationServer, control: Room) -> None:
    """The admin logs in by link, and pastes the address on which the browser ended."""
    count = len(stage.hs.bodies(control))
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    address = await provider.person(await link_in(stage, control, count))
    stage.hs.say(ADMIN, control.id, address)
    await stage.sees(control, "is logged in at Microsoft")
    await checked(stage)
    code = address.partition("code=")[2].partition("&")[0]
    await until(lambda: code not in str([each["content"] for each in control.events]), "redaction")


async def checked(stage: Stage) -> None:
    """Wait until the mailbox was checked well: mail that comes from now on is new."""
    (account,) = stage.app.desk.settings.accounts()

    async def good() -> bool:
        async with stage.app.database.reading() as tx:
            health = await tx.settings.health(account)
        return health is not None and not health[1]

    await until(good, "a good check of the mailbox")


async def deliver(mailbox: DovecotServer, raw: bytes) -> None:
    """Bring a mail into the mailbox, by LMTP."""

    def lmtp() -> None:
        with smtplib.LMTP("127.0.0.1", mailbox.lmtp_port, timeout=20) as client:
            client.sendmail("carla@customer.example", [SUPPORT], raw)

    await asyncio.to_thread(lmtp)


async def begun(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer, **client: Any
) -> tuple[Room, Room]:
    """An inbox that is logged in, with one conversation: (control room, its room)."""
    await stage.open(configured(stage, provider, mailbox, **client))
    control = await control_room(stage)
    await logged_in(stage, provider, control)
    await stage.queue(ALICE)
    await deliver(mailbox, mail())
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    return control, room
