"""Inboxes at providers with OAuth2: logged in by link, pasted address, code, or by themselves."""

from __future__ import annotations

import re
import time

import aiohttp

from bridge.demo.ports import free_ports
from tests.servers.database import rows
from tests.servers.dovecot import DovecotServer
from tests.servers.oauth import CLIENT, AuthorizationServer, state_of
from tests.stage import ADMIN, ALICE, SUPPORT, Stage, mail
from tests.stories.desk import ask, control_room
from tests.stories.oauth import checked, configured, deliver, link_in, logged_in


async def test_an_inbox_is_logged_in_by_a_pasted_address_and_mail_goes_both_ways(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    await stage.open(configured(stage, provider, mailbox))
    control = await control_room(stage)
    await stage.sees(control, f"⚠️ Support: Nobody has logged in to {SUPPORT} at Microsoft yet")
    await logged_in(stage, provider, control)
    await stage.queue(ALICE)
    await deliver(mailbox, mail())
    room = await stage.conversation()
    await stage.sees(room, "my display")
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sent(1)
    assert provider.asked[0]["redirect_uri"] == "http://localhost"
    assert provider.asked[0]["client_id"] == CLIENT


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


async def test_a_microsoft_inbox_is_set_up_by_chat(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    """From the first question to an answer that left; only the client stands in config.yaml."""
    config = configured(stage, provider, mailbox)
    config["inboxes"] = {}
    config["oauth"] = {"acme": {**config["oauth"]["microsoft"], "kind": "other"}}
    await stage.open(config)
    control = await control_room(stage)
    await ask(stage, control, f"!inbox add {SUPPORT}", "Where is the mailbox?")
    asks = await ask(stage, control, f"127.0.0.1:{mailbox.imap_port}", "How is port")
    asks = await ask(stage, control, "none", "How does it log in at 127.0.0.1? ok for a link")
    assert "acme of oauth in config.yaml" in asks
    await ask(stage, control, "?", "the provider asks you on its own page")
    await ask(stage, control, "ok", "Which server sends its mail?")
    await ask(stage, control, f"127.0.0.1:{stage.smtp.port}", "How is port")
    await ask(stage, control, "none", "Who answers this mail?")
    await ask(stage, control, ALICE, "First, !inbox login support logs it in.")
    await ask(stage, control, "!inbox publish support", "nobody has logged in")
    count = len(stage.hs.bodies(control))
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    stage.hs.say(ADMIN, control.id, await provider.person(await link_in(stage, control, count)))
    await stage.sees(control, f"✅ {SUPPORT} is logged in at acme. !inbox test support")
    await ask(stage, control, "!inbox publish support", "is live")
    await checked(stage)
    await stage.queue(ALICE)
    await deliver(mailbox, mail())
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sent(1)
    await ask(stage, control, "!inbox remove support", "Remove Support")
    await ask(stage, control, "!yes", "is removed")
    assert not await rows(stage.database, stage.folder, "SELECT name FROM oauth_grant")
