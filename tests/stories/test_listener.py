"""Mail that comes straight to us: a forward set up by chat, and a real Postfix that hands over."""

from __future__ import annotations

import asyncio
import re
import smtplib
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.ports import free_ports
from bridge.desk.inbound import draft_mail
from bridge.ingress import listeners
from bridge.model import InboxId
from tests import provision
from tests.servers.bridge import Bridge, Zygote
from tests.servers.database import rows
from tests.servers.dns import DnsServer
from tests.servers.matrix_state import Room
from tests.servers.postfix import PostfixServer
from tests.stage import ALICE, SALES, SUPPORT, Scene, Stage, mail, until
from tests.stories.desk import ask, control_room
from tests.stories.signing import RECORD, gmails_question

DOMAIN = "in.acme.example"
MAILS, KILLS, TWICE = 1000, 10, 5
"""How many, how often the bridge is killed; every fifth mail goes to two inboxes."""


def forwarded(scene: Scene, protocol: str) -> dict[str, Any]:
    """Two inboxes whose mail comes to a listener."""
    (port,) = free_ports(1)
    config = scene.config()
    del config["inboxes"]["support"]["imap"]
    config["inboxes"]["sales"] = {
        **config["inboxes"]["support"], "name": "Sales", "address": SALES, "agents": [],
    }  # fmt: skip
    config["ingress"] = {"domain": DOMAIN, protocol: {"port": port}}
    return config


def brought(port: int, raw: bytes, *to: str, sender: str = "carla@customer.example") -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.sendmail(sender, list(to), raw)


async def drafted(stage: Stage) -> Room:
    """The control room, after a forwarding inbox was made by chat."""
    control = await control_room(stage)
    await ask(stage, control, f"!inbox add {SUPPORT}", "Where is the mailbox?")
    await ask(stage, control, "forward", "Which server sends its mail?")
    await ask(stage, control, "local", "Who answers this mail?")
    await ask(stage, control, ALICE, "!inbox forward support gives the address")
    return control


async def test_a_forward_is_set_up_by_chat_from_the_first_question_to_an_answer(
    stage: Stage, names: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "STRANGER", 0.1)
    names.texts["s1._domainkey.google.com"] = RECORD
    config = forwarded(stage, "smtp")
    config["name_servers"] = [names.address]
    port, config["inboxes"] = config["ingress"]["smtp"]["port"], {}
    await stage.open(config)
    control = await drafted(stage)
    await ask(stage, control, f"!inbox set support smtp.port {stage.smtp.port}")
    said = await ask(stage, control, "!inbox forward support", "be forwarded to")
    made = re.search(rf"[a-z2-7]{{16}}@{DOMAIN}", said)
    assert made is not None
    question = gmails_question("Click here: https://mail-settings.google.com/mail/vf-x",
                               subject="(#123) Gmail Forwarding Confirmation")  # fmt: skip
    await asyncio.to_thread(brought, port, question, made[0])
    await stage.sees(control, "https://mail-settings.google.com/mail/vf-x")
    await ask(stage, control, "!inbox publish support", "is live")
    await stage.queue(ALICE)
    tagged = made[0].replace("@", "+x@").upper()
    await asyncio.to_thread(brought, port, mail(), tagged)
    room = await stage.conversation()
    await stage.sees(room, "my display stays dark")
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (answer,) = await stage.sent(1)
    reply_to = str(answer["Reply-To"])
    assert reply_to.startswith(made[0].partition("@")[0] + "+1-")
    assert str(answer["From"]).endswith(f"<{SUPPORT}>")
    later = mail("From my telephone", sender="carla@phone.example", message_id="<t@phone.example>")
    await asyncio.to_thread(brought, port, later, reply_to)
    await stage.sees(room, "From my telephone")
    await asyncio.to_thread(
        brought, port, mail("For whom it concerns", message_id="<p@x.example>"),
        f"postmaster@{DOMAIN}",
    )  # fmt: skip
    await stage.sees(control, "A mail to postmaster came")
    again = await ask(stage, control, "!inbox forward support new", "also taken:", made[0])
    fresh = re.findall(rf"[a-z2-7]{{16}}@{DOMAIN}", again)
    assert len(set(fresh)) == 2
    await ask(stage, control, f"!inbox forward support remove {made[0]}", "takes no mail any more")
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="There is no such address"):
        await asyncio.to_thread(brought, port, mail(), made[0])
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        await asyncio.to_thread(brought, port, mail(), "else@where.example")


@pytest.mark.sweep
@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
async def test_a_thousand_mails_of_a_postfix_outlive_ten_kills(
    tmp_path: Path, town_folder: Path, database_url: str, zygote: Zygote, protocol: str
) -> None:
    """Some go to two inboxes; none is lost, and none is there twice."""
    if not provision.postfix():
        pytest.skip("needs Postfix, as root: python -m tests.provision")
    scene = Scene(tmp_path, database_url)
    await scene.start()
    config = forwarded(scene, protocol)
    config["limits"] = {"rooms_per_inbox": 5, "rooms_per_sender": 1}
    port = config["ingress"][protocol]["port"]
    bridge = Bridge(zygote, tmp_path, config)
    (town_folder / "p").mkdir()
    place = f"inet:127.0.0.1:{port}" if protocol == "lmtp" else f"[127.0.0.1]:{port}"
    postfix = PostfixServer(town_folder / "p", f"{protocol}:{place}")
    await postfix.start()

    try:
        await bridge.start()
        await until(lambda: answers(port), "the listener")
        sending = asyncio.ensure_future(asyncio.to_thread(send, postfix.port))
        for kill in range(KILLS):
            await until(lambda k=kill: reached(scene, MAILS * k // KILLS), postfix.log, 120)  # type: ignore[misc]  # mypy cannot infer a default argument of a lambda
            await bridge.kill()
            await bridge.start()
            await postfix.flush()
        await sending

        async def all_there() -> bool:
            if postfix.waiting():
                await postfix.flush()
            return not postfix.waiting() and await reached(scene, MAILS + MAILS // TWICE)

        await until(all_there, postfix.log, 120)
        await each_is_there_once(scene)
    finally:
        await bridge.kill()
        await postfix.stop()
        await scene.stop()


def send(port: int) -> None:
    """Hand all mails to Postfix."""
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        for number in range(MAILS):
            raw = mail(f"Mail {number}", message_id=f"<{number}@customer.example>")
            to = [SUPPORT, SALES] if number % TWICE == 0 else [SUPPORT]
            client.sendmail("carla@customer.example", to, raw)


async def answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def each_is_there_once(scene: Scene) -> None:
    found = await rows(
        scene.database, scene.folder, "SELECT inbox, bytes FROM intake JOIN raw ON raw.id = raw"
    )
    seen = {(row["inbox"], re.search(rb"Mail (\d+)", row["bytes"])[1]) for row in found}  # type: ignore[index]  # it has one
    assert seen == {
        (inbox, str(number).encode())
        for number in range(MAILS)
        for inbox in (("support", "sales") if number % TWICE == 0 else ("support",))
    }
    await until(lambda: no_job_to_read(scene), "all mails to be read", 120)
    doubled = await rows(
        scene.database, scene.folder,
        "SELECT inbox, message_id FROM mail GROUP BY inbox, message_id HAVING COUNT(*) > 1",
    )  # fmt: skip
    filed = await rows(scene.database, scene.folder, "SELECT COUNT(*) AS n FROM mail")
    assert (doubled, filed[0]["n"]) == ([], len(seen))


async def no_job_to_read(scene: Scene) -> bool:
    left = await rows(scene.database, scene.folder, "SELECT id FROM job WHERE kind = 'receive'")
    return not left


async def reached(scene: Scene, wanted: int) -> bool:
    """Whether so many mails were taken."""
    found = await rows(scene.database, scene.folder, "SELECT COUNT(*) AS n FROM intake")
    return bool(found[0]["n"] >= wanted)


async def test_mail_for_an_inbox_that_cannot_be_used_now_waits_and_never_bounces(
    stage: Stage,
) -> None:
    config = forwarded(stage, "smtp")
    port, config["inboxes"] = config["ingress"]["smtp"]["port"], {}
    await stage.open(config)
    control = await drafted(stage)
    said = await ask(stage, control, "!inbox forward support", "be forwarded to")
    made = re.search(rf"[a-z2-7]{{16}}@{DOMAIN}", said)
    assert made is not None
    await asyncio.to_thread(brought, port, mail(), SUPPORT)
    await stage.sees(control, "A mail came for draft support")
    await ask(stage, control, "!inbox publish support", "is live")
    settings = stage.app.desk.settings
    del settings.inboxes[InboxId("support")]  # as where its secret cannot be read
    for spec in (SUPPORT, made[0]):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            await asyncio.to_thread(brought, port, mail(message_id="<m2@x.example>"), spec)
        assert refused.value.recipients[spec][0] == 451


async def test_the_postmaster_is_shown_so_many_mails_an_hour_and_the_others_wait(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draft_mail, "AN_HOUR", 2)
    monkeypatch.setattr(draft_mail, "HOUR", 1e12)  # no end of it comes between
    config = forwarded(stage, "smtp")
    port = config["ingress"]["smtp"]["port"]
    await stage.open(config)
    control = await control_room(stage)
    for number in (1, 2):
        raw = mail(f"Number {number}", message_id=f"<{number}@x.example>")
        await asyncio.to_thread(brought, port, raw, f"postmaster@{DOMAIN}")
        await stage.sees(control, f"Number {number}")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await asyncio.to_thread(brought, port, mail("Number 3"), f"postmaster@{DOMAIN}")
    assert refused.value.smtp_code == 451
    monkeypatch.setattr(draft_mail, "HOUR", 1e9)  # another one
    await asyncio.to_thread(brought, port, mail("Number 3"), f"postmaster@{DOMAIN}")
    await stage.sees(control, "Number 3")


async def test_our_own_answers_that_a_forward_brings_back_make_no_conversation(
    stage: Stage,
) -> None:
    config = forwarded(stage, "smtp")
    port = config["ingress"]["smtp"]["port"]
    await stage.open(config)
    await stage.queue(ALICE)
    await asyncio.to_thread(brought, port, mail(), SUPPORT)
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (answer,) = await stage.sent(1)
    for raw in (
        answer.as_bytes(),  # by BCC to the customer's own domain, which forwards
        b"Received: from a by b; Sat, 28 Nov 2026 10:00:00 +0000\r\n" + answer.as_bytes(),
        answer.as_bytes().replace(str(answer["Message-ID"]).encode(), b"<0100@relay.example>", 1),
    ):
        await asyncio.to_thread(brought, port, raw, SUPPORT, sender=SUPPORT)
    await stage.quiet()
    found = await rows(stage.database, stage.folder, "SELECT number FROM conversation")
    assert len(found) == 1
    assert len(await stage.sent(1)) == 1, "nothing answers it"
    mails = await rows(stage.database, stage.folder, "SELECT outbound FROM mail")
    assert [row["outbound"] for row in mails] == [0, 1], "each is seen again"
