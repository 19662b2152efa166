"""OAuth2 grants: renewed in time by one process, their ends told, their tokens nowhere readable."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.config.load import load
from bridge.desk.admin import access
from bridge.desk.grants import Grants
from bridge.model import Permanent, Transient
from bridge.model.admin_task import RenewGrant
from bridge.model.grant import GrantState, Tokens
from bridge.oauth.client import AuthorizationServers
from bridge.operate.backup import backup, rekey
from tests.servers.dovecot import DovecotServer
from tests.servers.oauth import SECRET, AuthorizationServer, refused
from tests.stage import ADMIN, ALICE, SUPPORT, Stage, mail, until
from tests.stories.desk import ask
from tests.stories.oauth import begun, configured, deliver, link_in


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
    await stage.sent(1)
    good = [each for each in stage.hs.bodies(control) if f"✅ {SUPPORT} is logged in" in each]
    assert len(good) == 2, "one for each log-in"
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


async def test_the_end_of_a_secret_is_told_30_and_7_days_and_a_day_before(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    day = datetime.now(UTC).date() + timedelta(days=5)
    control, _ = await begun(stage, provider, mailbox, secret_ends=day.isoformat())
    desk = stage.app.desk
    for now, said in ((0, "ends in 5 days"), (3, ""), (4, "ends tomorrow"), (5, "")):
        later = replace(desk, now=lambda days=now: time.time() + days * 86400)  # type: ignore[misc]  # mypy cannot infer a default argument of a lambda
        await access.watch(later)
        await access.watch(later)
        if said:
            await stage.sees(control, f"client_secret of oauth microsoft in config.yaml {said}")
    await stage.quiet_but("renew")
    told = [each for each in stage.hs.bodies(control) if "client_secret of oauth" in each]
    assert len(told) == 2


async def test_a_restarted_bridge_renews_what_became_due(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    await begun(stage, provider, mailbox)
    await expire(stage, f"microsoft:{SUPPORT}")
    async with stage.app.database.transaction("grant") as tx:
        await tx.jobs.reschedule(RenewGrant(f"microsoft:{SUPPORT}"), time.time() - 1)
    await stage.close()
    asked = len(provider.asked)
    await stage.open(configured(stage, provider, mailbox))
    await until(lambda: len(provider.asked) > asked, "the renewal")
    await deliver(mailbox, mail("One more", message_id="<m2@customer.example>"))
    await stage.conversation(2)


async def test_a_log_in_during_a_renewal_is_not_undone_by_it(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    """The old refresh token is refused, and the answer comes after a person has logged in."""
    control, _ = await begun(stage, provider, mailbox)
    name, desk = f"microsoft:{SUPPORT}", stage.app.desk
    provider.refusals = [refused("invalid_grant", "AADSTS50173: revoked")]
    provider.holds = asyncio.Event()
    renewing = asyncio.ensure_future(desk.grants.renew(name, anyway=True))
    await until(lambda: provider.asked[-1]["grant_type"] == "refresh_token", "the renewal")
    fresh = Tokens("at-fresh", time.time() + 3600, "rt-fresh")
    provider.tokens["at-fresh"] = SUPPORT
    async with stage.app.database.transaction("grant") as tx:
        await desk.grants.keep(tx, name, fresh)
    provider.holds.set()
    with pytest.raises(Permanent):
        await renewing
    async with stage.app.database.reading() as tx:
        grant = await tx.grants.get(name)
    assert grant is not None
    assert (grant.state, grant.claimed_until) == (GrantState.GOOD, 0.0)
    await stage.quiet_but("renew")
    assert not [each for each in stage.hs.bodies(control) if "was changed" in each]


async def test_a_refusal_of_the_mail_server_undoes_no_renewal(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    await begun(stage, provider, mailbox)
    name, desk = f"microsoft:{SUPPORT}", stage.app.desk
    (server,) = desk.settings.inboxes["support"].sources  # type: ignore[index]  # InboxId is a str
    await expire(stage, name)
    await asyncio.gather(desk.grants.renew(name), desk.grants.refused(server))
    for _ in range(2):
        await expire(stage, name)
        await desk.grants.renew(name)
    assert provider.asked[-1]["grant_type"] == "refresh_token"


async def test_a_renewal_under_way_is_kept_though_the_bridge_stops(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    await begun(stage, provider, mailbox)
    name, provider.holds = f"microsoft:{SUPPORT}", asyncio.Event()
    renewing = asyncio.ensure_future(stage.app.desk.grants.renew(name, anyway=True))
    await until(lambda: provider.asked[-1]["grant_type"] == "refresh_token", "the renewal")
    renewing.cancel()
    closing = asyncio.ensure_future(stage.close())
    await asyncio.sleep(0.1)
    provider.holds.set()
    await closing
    provider.holds = None
    await stage.open(configured(stage, provider, mailbox))
    await stage.app.desk.grants.renew(name, anyway=True)
    await deliver(mailbox, mail("One more", message_id="<m2@customer.example>"))
    await stage.conversation(2)


async def test_a_lost_encryption_key_is_mended_by_a_new_log_in(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    config = configured(stage, provider, mailbox)
    control, _ = await begun(stage, provider, mailbox)
    await stage.close()
    (stage.folder / "postroom.key").unlink()
    await stage.open(config)
    await stage.sees(control, f"Microsoft gives no access to {SUPPORT}")
    count = len(stage.hs.bodies(control))
    stage.hs.say(ADMIN, control.id, "!inbox login support")
    stage.hs.say(ADMIN, control.id, await provider.person(await link_in(stage, control, count)))
    await until(lambda: "is logged in" in str(stage.hs.bodies(control)[count:]), "the log-in")
    await deliver(mailbox, mail("One more", message_id="<m2@customer.example>"))
    await stage.conversation(2)


async def test_rekey_passes_by_a_grant_that_has_no_token_yet(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    client = {"flow": "client", "tenant": "acme.example", "client_secret": "wrong"}
    await stage.open(configured(stage, provider, mailbox, **client))
    control = await stage.enter("Postroom control", ADMIN)
    await stage.sees(control, "client_secret in config.yaml is wrong")
    await stage.close()
    path = stage.folder / "config.yaml"
    assert "sealed with a new key" in await rekey(load(path), path)


async def test_what_can_never_be_sent_is_told_where_nobody_logged_in(
    stage: Stage, provider: AuthorizationServer, mailbox: DovecotServer
) -> None:
    """Mail is read with a password, and sent with an access that nobody gave."""
    config = configured(stage, provider, mailbox)
    config["inboxes"]["support"]["imap"] |= {
        "port": stage.imap.port, "password": "secret", "oauth": "", "tls": "none",
    }  # fmt: skip
    await stage.open(config)
    control = await stage.enter("Postroom control", ADMIN)
    await stage.queue(ALICE)
    await stage.mail(mail())
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(control, "no mail can be sent since")
    await stage.sees(control, f"Nobody has logged in to {SUPPORT} at Microsoft yet")
