"""Inboxes at providers with OAuth2: log-in by link and by pasted address, renewal, and its end."""

from __future__ import annotations

import asyncio
import re
import smtplib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.demo.ports import free_ports
from bridge.desk.grants import Grants
from bridge.model import Permanent, Transient
from bridge.oauth.client import AuthorizationServers
from bridge.operate.backup import backup
from tests import provision
from tests.servers.database import rows
from tests.servers.dovecot import DovecotServer
from tests.servers.matrix_state import Room
from tests.servers.oauth import CLIENT, SECRET, AuthorizationServer, refused, state_of
from tests.stage import ADMIN, ALICE, SUPPORT, Stage, mail, until
from tests.stories.desk import ask, control_room

SCOPES = ["https://mail.example/imap", "openid"]
LINK = re.compile(r"http://127\.0\.0\.1:\d+/authorize\S+")
PASSDB = """
auth_mechanisms = plain login xoauth2 oauthbearer
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {file}
}}
"""
SETTINGS = """\
introspection_url = {url}/introspect
introspection_mode = auth
active_attribute = active
active_value = yes
username_attribute = username
"""


@pytest.fixture
async def provider() -> AsyncIterator[AuthorizationServer]:
    server = AuthorizationServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def mailbox(provider: AuthorizationServer, town_folder: Path) -> AsyncIterator[DovecotServer]:
    """A Dovecot that takes the provider's tokens and no passwords."""
    if not provision.dovecot():
        pytest.skip("needs Dovecot: python -m tests.provision")
    settings = town_folder / "oauth2.conf"
    settings.write_text(SETTINGS.format(url=provider.url))
    server = DovecotServer(str(town_folder / "d"), {SUPPORT: "unknown"}, PASSDB.format(file=settings))
    await server.start()
    yield server
    await server.stop()


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


async def test_an_inbox_is_logged_in_by_a_pasted_address_and_mail_goes_both_ways(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    await stage.open(configured(stage, provider, mailbox))
    control = await control_room(stage)
    await stage.sees(control, f"⚠️ Support: Nobody has logged in to {SUPPORT} at Microsoft yet")
    await logged_in(stage, provider, control)
    await until(lambda: provider.tokens, "a token")
    await stage.queue(ALICE)
    await deliver(mailbox, mail())
    room = await stage.conversation()
    await stage.sees(room, "my display")
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sent(1)
    assert provider.asked[0]["redirect_uri"] == "http://localhost"
    assert provider.asked[0]["client_id"] == CLIENT


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


async def test_a_browser_comes_back_to_our_page_once(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    config, (port,) = configured(stage, provider, mailbox), free_ports(1)
    config |= {"public_url": f"http://127.0.0.1:{port}", "public": {"port": port}}
    await stage.open(config)
    control = await control_room(stage)
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    address = await provider.person(await link_in(stage, control))
    assert address.startswith(f"http://127.0.0.1:{port}/oauth/callback?")
    async with aiohttp.ClientSession() as http:
        async with http.head(address) as answer:
            assert answer.status == 200
        wrong = address.replace("state=", "state=x")
        async with http.get(wrong) as answer:
            assert answer.status == 400
            assert "not open any more" in await answer.text()
        async with http.get(address) as answer:
            assert answer.status == 200
            assert "go back to the chat" in await answer.text()
        async with http.get(address) as answer:
            assert answer.status == 400, "a state counts once"
    await stage.sees(control, "is logged in at Microsoft")
    assert len(provider.asked) == 1


async def test_a_code_that_was_begun_by_somebody_else_gets_nothing(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    """PKCE: the code of one log-in with the state of another."""
    await stage.open(configured(stage, provider, mailbox))
    control = await control_room(stage)
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    first = await provider.person(await link_in(stage, control))
    count = len(stage.hs.bodies(control))
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    second = await provider.person(await link_in(stage, control, count))
    code = re.compile(r"code=[^&]+")
    mixed = code.sub(code.search(first)[0], second)  # type: ignore[index]  # it has one
    stage.hs.say(ADMIN, control.id, mixed)
    await stage.sees(control, f"❌ Microsoft gives no access to {SUPPORT}")
    assert not provider.tokens


async def test_what_the_person_refuses_is_said(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    await stage.open(configured(stage, provider, mailbox))
    control = await control_room(stage)
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    state = state_of(await link_in(stage, control))
    said = "error=access_denied&error_description=AADSTS65004+declined"
    stage.hs.say(ADMIN, control.id, f"http://localhost/?{said}&state={state}")
    await stage.sees(control, "the person said no, or may not allow it")


async def test_a_grant_is_renewed_once_by_all_processes_and_its_new_token_is_kept(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    await begun(stage, provider, mailbox)
    name, desk = f"microsoft:{SUPPORT}", stage.app.desk
    other = Grants(stage.app.database, desk.directory, AuthorizationServers(), time.time)
    for _ in range(3):  # a refresh token counts once, and each renewal brings a new one
        asked = len(provider.asked)
        await expire(stage, name)
        await asyncio.gather(*(each.renew(name) for each in (desk.grants, other, other)))
        assert len(provider.asked) == asked + 1
    await deliver(mailbox, mail("One more", message_id="<m2@customer.example>"))
    await stage.conversation(2)


async def expire(stage: Stage, name: str) -> None:
    """Let the access token of a grant end now."""
    async with stage.app.database.transaction("grant") as tx:
        grant = await tx.grants.get(name)
        assert grant is not None
        await tx.grants.put(replace(grant, access_ends=time.time()))


async def test_an_ended_grant_is_told_once_with_cause_and_link_and_mail_waits(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    control, room = await begun(stage, provider, mailbox)
    name = f"microsoft:{SUPPORT}"
    provider.refusals = [refused("invalid_grant", "AADSTS50173: The grant was revoked.")]
    with pytest.raises(Permanent, match="password of the account was changed"):
        await stage.app.desk.grants.renew(name, anyway=True)
    count = len(stage.hs.bodies(control)) - 1
    told = await stage.sees(control, "the password of the account was changed. Log in again.")
    assert "Mail is read until" in told["content"]["body"], "the token still counts"
    assert "(AADSTS50173)" in told["content"]["body"]
    await deliver(mailbox, mail("Still read", message_id="<m2@customer.example>"))
    await stage.conversation(2)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "⏳ deferred")
    assert not stage.smtp.accepted()
    assert "was changed" in await ask(stage, control, "!status")
    address = await provider.person(await link_in(stage, control, count))
    stage.hs.say(ADMIN, control.id, address)
    await stage.sees(control, f"Support: {SUPPORT} is logged in again")
    await stage.sent(1)
    alarms = [each for each in stage.hs.bodies(control) if each.startswith("⚠️")]
    assert len(alarms) == 2, "one for nobody logged in, one for the end"


async def test_a_token_refused_before_its_end_is_renewed_which_tells_why(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    control, _ = await begun(stage, provider, mailbox)
    name = f"microsoft:{SUPPORT}"
    async with stage.app.database.transaction("grant") as tx:
        grant = await tx.grants.get(name)
        assert grant is not None
        await tx.grants.put(replace(grant, got_at=time.time() - 600))
    provider.revoke()
    await mailbox.kick(SUPPORT)
    await stage.sees(control, "the access was withdrawn, or has ended")


async def test_a_provider_that_is_away_is_asked_again_and_nobody_is_told(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    control, _ = await begun(stage, provider, mailbox)
    name = f"microsoft:{SUPPORT}"
    provider.is_down = True
    await expire(stage, name)
    with pytest.raises(Transient):
        await stage.app.desk.grants.renew(name)
    provider.is_down = False
    await stage.app.desk.grants.renew(name)
    await deliver(mailbox, mail("One more", message_id="<m2@customer.example>"))
    await stage.conversation(2)
    assert not [each for each in stage.hs.bodies(control) if "gives no access" in each]


async def test_another_account_is_asked_about_once_as_a_shared_mailbox_has_one(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    provider.account, provider.opens = "bob@acme.example", SUPPORT
    await stage.open(configured(stage, provider, mailbox))
    control = await control_room(stage)
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    stage.hs.say(ADMIN, control.id, await provider.person(await link_in(stage, control)))
    await stage.sees(
        control, f"bob@acme.example logged in at Microsoft, and the mailbox is {SUPPORT}"
    )
    await ask(stage, control, "!inbox test support")
    await stage.sees(control, "no admin has agreed to that yet")
    await ask(stage, control, "!yes", f"bob@acme.example is used for {SUPPORT}")
    await checked(stage)
    await deliver(mailbox, mail())
    await stage.queue(ALICE)
    await stage.conversation()
    count = len(stage.hs.bodies(control))
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    stage.hs.say(ADMIN, control.id, await provider.person(await link_in(stage, control, count)))
    await stage.sees(control, f"{SUPPORT} is logged in at Microsoft by bob@acme.example")


async def test_no_forgets_the_log_in_of_another_account(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    provider.account = "bob@acme.example"
    await stage.open(configured(stage, provider, mailbox))
    control = await control_room(stage)
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    stage.hs.say(ADMIN, control.id, await provider.person(await link_in(stage, control)))
    await stage.sees(control, "!no forgets the log-in")
    await ask(stage, control, "!no", "is forgotten")
    assert not await rows(stage.database, stage.folder, "SELECT name FROM oauth_grant")


async def test_google_lets_nobody_read_for_another_and_says_when_it_ends(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    provider.account, provider.refresh_expires_in = "bob@acme.example", 604_799
    await stage.open(configured(stage, provider, mailbox, kind="google"))
    control = await control_room(stage)
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    stage.hs.say(ADMIN, control.id, await provider.person(await link_in(stage, control)))
    await stage.sees(control, "Google lets nobody read another's mailbox")
    provider.account, provider.unticked = SUPPORT, ("https://mail.example/imap",)
    count = len(stage.hs.bodies(control))
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    stage.hs.say(ADMIN, control.id, await provider.person(await link_in(stage, control, count)))
    await stage.sees(control, "https://mail.example/imap was not ticked")
    provider.unticked = ()
    count = len(stage.hs.bodies(control))
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    stage.hs.say(ADMIN, control.id, await provider.person(await link_in(stage, control, count)))
    told = await stage.sees(control, "⚠️ Google ends this log-in on")
    day = time.strftime("%d %b %Y", time.gmtime(time.time() + 604_799))
    assert day in told["content"]["body"]


async def test_a_client_logs_in_by_itself(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    provider.opens = SUPPORT
    await stage.open(configured(stage, provider, mailbox, flow="client", tenant="acme.example"))
    control = await control_room(stage)
    said = await ask(stage, control, "!inbox login support")
    assert f"Add-MailboxPermission -Identity {SUPPORT}" in said
    assert f"New-ServicePrincipal -AppId {CLIENT}" in said
    await stage.queue(ALICE)
    await checked(stage)
    await deliver(mailbox, mail())
    await stage.conversation()
    assert {each["grant_type"] for each in provider.asked} == {"client_credentials"}


async def test_a_code_is_refused_by_policy_and_works_elsewhere(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    await stage.open(configured(stage, provider, mailbox))
    control = await control_room(stage)
    provider.device_answers = ["authorization_pending x", "invalid_grant AADSTS53003: Blocked"]
    said = await ask(stage, control, "!inbox login support code")
    assert "ABCD-EFGH" in said
    await stage.sees(control, "a conditional access policy of the organisation blocks")
    provider.device_answers = ["authorization_pending x"]
    await ask(stage, control, "!inbox login support code", "ABCD-EFGH")
    await stage.sees(control, f"✅ {SUPPORT} is logged in at Microsoft")


async def test_T31_tokens_stand_in_no_table_log_room_or_backup(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer,
    capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    control, room = await begun(stage, provider, mailbox)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sent(1)
    await stage.app.desk.grants.renew(f"microsoft:{SUPPORT}", anyway=True)
    await stage.quiet_but("renew")
    settings, copy = stage.app.desk.settings, tmp_path / "backup.db"
    await backup(settings, copy)
    secrets = {SECRET, *provider.tokens}
    for form in provider.asked:
        secrets |= {
            form[name] for name in ("code", "refresh_token", "code_verifier") if name in form
        }
    assert len(secrets) > 4
    printed = capsys.readouterr().out + str([each["content"] for each in control.events])
    files = {copy, *stage.folder.glob("postroom.db*")}
    for secret in secrets:
        assert secret not in printed
        for file in files:
            assert secret.encode() not in file.read_bytes(), file
