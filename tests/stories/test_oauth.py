"""Inboxes at providers with OAuth2: logged in by link, pasted address, code, or by themselves."""

from __future__ import annotations

import re
import time

import aiohttp
import pytest

from bridge.demo.ports import free_ports
from bridge.desk.admin import access, question, status
from tests.servers.database import rows
from tests.servers.dovecot import DovecotServer
from tests.servers.matrix_state import Room
from tests.servers.oauth import CLIENT, AuthorizationServer, state_of
from tests.stage import ADMIN, ALICE, SUPPORT, Stage, mail, until
from tests.stories.desk import ask, control_room
from tests.stories.oauth import begun, checked, configured, deliver, link_in, logged_in


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
    await stage.sees(control, f"Nobody has logged in to {SUPPORT} at Microsoft yet")
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
    await stage.sees(control, "!no forgets this log-in")
    await ask(stage, control, "!no", "is forgotten")
    assert not await rows(stage.database, stage.folder, "SELECT name FROM oauth_grant")
    assert "decided already" in await asked_again(stage, control)


async def asked_again(stage: Stage, control: Room) -> str:
    async with stage.app.database.transaction("settings") as tx:
        await question.ask(tx, ADMIN, question.LOGIN, f"microsoft:{SUPPORT}", time.time())
    return await ask(stage, control, "!yes")


async def test_a_wrong_log_in_changes_nothing_until_it_is_agreed_to(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    control, room = await begun(stage, provider, mailbox)
    before = await rows(stage.database, stage.folder, "SELECT sealed FROM oauth_grant")
    provider.account = "eve@acme.example"
    count = len(stage.hs.bodies(control))
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    stage.hs.say(ADMIN, control.id, await provider.person(await link_in(stage, control, count)))
    await stage.sees(control, "eve@acme.example logged in at Microsoft")
    assert await rows(stage.database, stage.folder, "SELECT sealed FROM oauth_grant") == before
    await deliver(mailbox, mail("Still read", message_id="<m2@customer.example>"))
    await stage.conversation(2)
    await ask(stage, control, "!no", "is forgotten")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sent(1)
    assert await rows(stage.database, stage.folder, "SELECT sealed FROM oauth_grant") == before


@pytest.mark.parametrize("said", [
    "http://localhost/?code=CANARY-1&state={state}", "code=CANARY-1&state={state}",
    "state={state}&code=CANARY-1", "`http://[localhost/?code=CANARY-1&state={state}`",
    "http://localhost/#state={state}&code=CANARY-1",
])  # fmt: skip
async def test_T31_an_address_with_a_code_is_redacted_however_it_is_said(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer, said: str
) -> None:
    config = configured(stage, provider, mailbox)
    config["inboxes"]["support"]["agents"] = [ADMIN]
    await stage.open(config)
    control, queue = await control_room(stage), await stage.queue(ADMIN)
    for room in (control, queue):
        stage.hs.say(ADMIN, room.id, said.format(state="s" * 32))
        await until(lambda r=room: "CANARY-1" not in str([e["content"] for e in r.events]),  # type: ignore[misc]  # mypy cannot infer a default argument of a lambda
                    f"redaction in {room.id}")  # fmt: skip
    for table in ("event", "job", "post", "setting"):
        found = await rows(stage.database, stage.folder, f"SELECT * FROM {table}")
        assert "CANARY-1" not in str(found), table


async def test_a_password_said_in_place_of_the_word_is_not_kept(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    config = configured(stage, provider, mailbox)
    config["inboxes"] = {}
    config["oauth"] = {"Acme": {**config["oauth"]["microsoft"], "kind": "other"}}
    await stage.open(config)
    control = await control_room(stage)
    await ask(stage, control, f"!inbox add {SUPPORT}")
    await ask(stage, control, "imap.example.com", "How does it log in")
    await ask(stage, control, "CANARY-2", "Say ok, or one of")
    await until(lambda: "CANARY-2" not in str([each["content"] for each in control.events]),
                "the redaction")  # fmt: skip
    found = await rows(stage.database, stage.folder, "SELECT settings FROM inbox")
    assert "CANARY-2" not in str(found)
    await ask(stage, control, "Acme", "Which server sends")
    await ask(stage, control, "!inbox set support imap.oauth typo", "config.yaml has no client")


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
    async with stage.app.database.transaction("janitor") as tx:
        await access.forget_unused(tx, stage.app.desk)
    assert not await rows(stage.database, stage.folder, "SELECT name FROM oauth_grant")


async def test_a_client_that_is_gone_from_the_configuration_is_told_of_once(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    config = configured(stage, provider, mailbox)
    oauth, config["inboxes"] = config["oauth"], {}
    config["oauth"] = {"acme": {**oauth["microsoft"], "kind": "other"}}
    await stage.open(config)
    control = await control_room(stage)
    await ask(stage, control, f"!inbox add {SUPPORT}")
    await ask(stage, control, f"127.0.0.1:{mailbox.imap_port}")
    await ask(stage, control, "none")
    await ask(stage, control, "ok")
    await ask(stage, control, "local")
    await ask(stage, control, "-")
    await ask(stage, control, "!inbox publish support", "nobody has logged in")
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    stage.hs.say(ADMIN, control.id, await provider.person(await link_in(stage, control)))
    await stage.sees(control, "is logged in at acme")
    await ask(stage, control, "!inbox publish support", "is live")
    await stage.close()
    await stage.open({**config, "oauth": {}})
    for _ in range(2):
        await status.watch(stage.app.desk)
    await stage.sees(control, "⚠️ Inbox support cannot be used: inbox support logs in through oauth")
    await stage.close()
    await stage.open(config)
    await status.watch(stage.app.desk)
    await stage.sees(control, "✅ Inbox support can be used again.")
    assert len([each for each in stage.hs.bodies(control) if "cannot be used" in each]) == 1
