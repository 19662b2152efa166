"""Posted mail that is odd: batches, parts, wrong labels, inboxes that cannot be used for now."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from bridge.model import InboxId
from bridge.model.oversight import InboxState
from tests.ingress import posts
from tests.ingress.posts import Request
from tests.servers.database import rows
from tests.stage import ALICE, AUTHSERV, FAILED, SUPPORT, Stage, mail
from tests.stories.desk import ask, control_room
from tests.stories.hooks import hooked, post, pushed, stored

LATIN = mail("Grüße").replace("Grüße".encode(), b"Gr\xfc\xdfe").replace(b"utf-8", b"iso-8859-1")


async def test_one_mail_of_a_batch_keeps_no_other_back(stage: Stage) -> None:
    config = pushed(stage, "mandrill")
    config["limits"] = {"mail_size": 100_000}
    await stage.open(config)
    control = await control_room(stage)
    said = await ask(stage, control, "!inbox hook support")
    url = next(word for word in said.split() if "/in/" in word)
    raws = [mail("Mail 1"), mail("x" * 120_000, message_id="<2@c.example>"),
            mail("Mail 3", message_id="<3@c.example>")]  # fmt: skip
    events = [{"event": "inbound", "msg": {"raw_msg": raw.decode(), "email": SUPPORT}}
              for raw in raws]  # fmt: skip
    parts = {"email": SUPPORT, "text": "Mail 4", "headers": {"From": "c@c.example", "Subject": "P"}}
    odd: list[object] = [{"event": "send"}, "odd", {"event": "inbound", "msg": parts}]
    assert await post(url, posts.mandrill_of([*events, *odd], url, posts.MANDRILL)) == 200
    await stage.sees(control, "a mail of carla@customer.example with")
    taken = await stored(stage)
    assert [raw for raw in raws if raw in taken] == [raws[0], raws[2]]
    assert b"TWFpbCA0" in taken[2], "Mail 4"


@pytest.mark.parametrize("kind", ["sendgrid", "postmark", "mailgun"])
async def test_what_comes_in_parts_again_is_the_same_mail(stage: Stage, kind: str) -> None:
    _, url = await hooked(stage, kind)
    make = getattr(posts, kind)
    raw = mail()
    how: dict[str, object] = {"whole": False}
    if kind == "mailgun":
        how = {"mime": False, "token": "t" * 50, "at": time.time()}
    for _ in range(3):  # with a boundary of its own each time
        assert await post(url, make(raw, SUPPORT, **how)) == 200
    assert len(await stored(stage)) == 1


async def test_files_of_mailgun_come_along(stage: Stage) -> None:
    _, url = await hooked(stage, "mailgun")
    request = posts.mailgun(mail("See the file"), SUPPORT, mime=False)
    head = (b'Content-Disposition: form-data; name="attachment-1"; filename="a.pdf"\r\n'
            b"Content-Type: application/pdf\r\n\r\n%PDF-1\r\n")  # fmt: skip
    end = request.body.rstrip(b"\r\n").rsplit(b"\r\n", 1)[1]
    start = end.removesuffix(b"--") + b"\r\n"
    assert await post(url, request.with_body(start + head + request.body)) == 200
    await stage.queue(ALICE)
    await stage.sees(await stage.conversation(), "a.pdf")


async def test_latin_1_that_json_made_utf_8_of_is_read(stage: Stage) -> None:
    _, url = await hooked(stage, "postmark")
    transcoded = LATIN.replace("Grüße".encode("latin-1"), "Grüße".encode())
    assert b"iso-8859-1" in transcoded
    assert await post(url, posts.postmark(transcoded, SUPPORT)) == 200
    await stage.sees(await stage.conversation(), "Grüße")


@pytest.mark.parametrize(("kind", "told"), [("postmark", False), ("relay", True)])
async def test_T07_what_the_sender_wrote_under_our_name_is_no_check(
    stage: Stage, kind: str, told: bool
) -> None:
    """A provider brings what it got; a script of ours what our mail server has stamped."""
    _, url = await hooked(stage, kind, authserv_id=AUTHSERV)
    failed = mail(Authentication_Results=FAILED)
    assert await post(url, getattr(posts, kind)(failed, SUPPORT)) in (200, 204)
    shown = await stage.sees(await stage.conversation(), "my display")
    assert ("sender check" in shown["content"]["body"]) is told


async def test_the_body_of_a_mail_names_no_inbox(stage: Stage) -> None:
    config = pushed(stage, "relay")
    config["inboxes"]["sales"] = {**config["inboxes"]["support"], "address": "sales@acme.example"}
    config["ingress"] = {"password": "geheim"}
    await stage.open(config)
    public = stage.app.desk.settings.public_url.replace("http://", "http://actionmailbox:geheim@")
    raw = mail("Hello\nDelivered-To: sales@acme.example\n\nBye").replace(b"\r\n", b"\n")
    url = f"{public}/rails/action_mailbox/relay/inbound_emails"
    assert await post(url, Request(raw, {"Content-Type": "message/rfc822"})) == 204
    found = await rows(stage.database, stage.folder, "SELECT inbox FROM intake")
    assert [row["inbox"] for row in found] == ["support"]


async def test_an_inbox_that_cannot_be_used_for_now_is_a_fault_of_ours(stage: Stage) -> None:
    config = pushed(stage, "relay")
    port, config["inboxes"] = config["public"]["port"], {}
    config["ingress"] = {"password": "geheim"}
    config["oauth"] = {"x": {"client_id": "c", "token_url": "https://x.example/token"}}
    await stage.open(config)
    control = await control_room(stage)
    await ask(stage, control, f"!inbox add {SUPPORT}")
    await ask(stage, control, "relay")
    await ask(stage, control, "smtp.example.com", "What is the password")
    await ask(stage, control, "geheimer", "Who answers this mail?")
    await ask(stage, control, "-")
    await ask(stage, control, "!inbox set support smtp.oauth x")
    said = await ask(stage, control, "!inbox hook support")
    url = next(word for word in said.split() if "/in/" in word)
    await ask(stage, control, "!inbox publish support anyway")
    async with stage.app.database.transaction("settings") as tx:
        stored_ = await tx.inboxes.get(InboxId("support"))
        assert stored_ is not None
        await tx.inboxes.save(replace(stored_, state=InboxState.LIVE))
    await stage.close()
    await stage.open({**config, "oauth": {}})
    rails = f"http://actionmailbox:geheim@127.0.0.1:{port}/rails/action_mailbox"
    assert await post(url, posts.relay(mail(), SUPPORT)) == 503
    assert await post(f"{rails}/relay/inbound_emails", posts.relay(mail(), SUPPORT)) == 503
    assert await post(f"{rails}/postmark/inbound_emails", posts.postmark(mail(), SUPPORT)) == 503


async def test_mailgun_at_rails_path_signs_where_a_key_is_set(stage: Stage) -> None:
    config = pushed(stage, "relay")
    config["ingress"] = {"password": "geheim", "keys": {"mailgun": posts.MAILGUN}}
    await stage.open(config)
    url = f"{config['public_url']}/rails/action_mailbox/mailgun/inbound_emails/mime"
    assert await post(url, posts.mailgun(mail(), SUPPORT, key="wrong")) == 401
    assert await post(url, posts.mailgun(mail(), SUPPORT)) == 200
    assert len(await stored(stage)) == 1


async def test_two_rules_that_forward_one_address_are_told_and_the_mail_is_shown_once(
    stage: Stage,
) -> None:
    control, url = await hooked(stage, "relay")
    one = b"Received: from a.example by mx.acme.example; Thu, 26 Nov 2026 10:00:00 +0000\r\n"
    two = (b"X-Forwarded-For: dan@gmail.com support@acme.example\r\n"
           b"Received: from b.example by mx.google.com (x) with SMTP; now\r\n")  # fmt: skip
    for trace in (one, two, two + one, one):
        assert await post(url, posts.relay(trace + mail(), SUPPORT)) == 204
    told = await stage.sees(control, "mail comes to it twice")
    said = told["content"]["body"]
    assert "mx.acme.example" in said
    assert "mx.google.com → dan@gmail.com" in said
    assert "shown once" in said
    await stage.sees(await stage.conversation(), "my display stays dark")
    both = mail(to=f"{SUPPORT}, sales@acme.example", message_id="<2@x.example>", subject="Both")
    for trace in (one, b"Received: by mx.other.example; now\r\n"):
        assert await post(url, posts.relay(trace + both, SUPPORT)) == 204
    await stage.sees(await stage.conversation(2), "my display stays dark")
    await stage.quiet()
    bodies = stage.hs.bodies(control)
    assert not [each for each in bodies if "mx.other.example" in each], "it was sent to two"
    assert len({each for each in bodies if "comes to it twice" in each}) == 1, "once a day"
    assert len([each for each in await stored(stage) if each]) == 2
