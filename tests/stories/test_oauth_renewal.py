"""OAuth2 grants: renewed in time by one process, their ends told, their tokens nowhere readable."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.desk.admin import access
from bridge.desk.grants import Grants
from bridge.model import Permanent, Transient
from bridge.model.admin_task import RenewGrant
from bridge.oauth.client import AuthorizationServers
from bridge.operate.backup import backup
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
