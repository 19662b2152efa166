"""Mail that providers and scripts post: from the request to a room, and its bad twins."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable

import aiohttp
import pytest

from bridge.ingress.providers import KINDS
from tests.ingress import posts
from tests.ingress.posts import Amazon, Request
from tests.servers.dns import DnsServer
from tests.stage import ALICE, SUPPORT, Stage, mail
from tests.stories.desk import ask, control_room
from tests.stories.hooks import faithful, hooked, post, pushed, stored
from tests.stories.signing import RECORD, gmails_question

LATIN = mail("Grüße").replace("Grüße".encode(), b"Gr\xfc\xdfe").replace(b"utf-8", b"iso-8859-1")


@pytest.mark.parametrize("kind", KINDS)
async def test_T27_a_faithful_request_becomes_a_room_once_and_no_bad_twin_does(
    stage: Stage, kind: str
) -> None:
    amazon, done, refused = Amazon(), KINDS[kind].done, 401
    _, url = await hooked(stage, kind)
    stage.app.posts.amazon.fetch = amazon.fetch
    raw = mail()
    request = faithful(kind, raw, SUPPORT, url, amazon)
    assert await post(url, request) == done
    await stage.sees(await stage.conversation(), "my display stays dark")
    for _ in range(5):
        assert await post(f"{url}/", request) in (done, refused), "mandrill signs the address"
    assert await post(url, request) == done, "the same again is taken once"
    assert await post(url.replace("/in/", "/in/x"), request) == 404
    secret = url.split("/in/")[1].split("/")[0]
    plain = f"{stage.app.desk.settings.public_url}/in/{secret}{KINDS[kind].path}"
    async with aiohttp.ClientSession() as http:
        for method in ("GET", "HEAD"):
            async with http.request(method, f"{plain}/") as answer:
                assert answer.status == 200
        async with http.get(plain.replace(KINDS[kind].path, "/nothing")) as answer:
            assert answer.status == 404
    if kind not in ("mailgun", "mandrill", "ses"):
        assert await post(plain, request) == refused, "no password"
        wrong = url.replace("postroom:", "postroom:x")
        assert await post(wrong, request) == refused
    cut = request.with_body(request.body[: len(request.body) // 2])
    if kind != "relay":  # half a mail is a mail
        assert await post(url, cut) in (refused, 503)
    await stage.quiet()
    assert await stored(stage) == [raw]


@pytest.mark.parametrize("kind", KINDS)
async def test_eight_bit_mail_arrives_byte_for_byte(stage: Stage, kind: str) -> None:
    """At Postmark and Mandrill as the UTF-8 that their JSON has."""
    amazon = Amazon()
    _, url = await hooked(stage, kind)
    stage.app.posts.amazon.fetch = amazon.fetch
    raw = LATIN
    if kind in ("mandrill", "postmark"):
        raw = mail("Grüße")
    assert await post(url, faithful(kind, raw, SUPPORT, url, amazon)) == KINDS[kind].done
    assert await stored(stage) == [raw]
    await stage.sees(await stage.conversation(), "Grüße")


@pytest.mark.parametrize("shape", [posts.form, posts.urlencoded])
async def test_T27_T28_a_retry_of_mailgun_is_taken_a_replay_with_another_mail_is_not(
    stage: Stage, shape: Callable[[list[tuple[str, bytes]]], Request]
) -> None:
    _, url = await hooked(stage, "mailgun")
    six_hours_ago, token = time.time() - 6 * 3600, "t" * 50
    request = posts.mailgun(LATIN, SUPPORT, at=six_hours_ago, token=token, shape=shape)
    answers = await asyncio.gather(*(post(url, request) for _ in range(20)))
    assert set(answers) == {200}
    other = posts.mailgun(mail("Evil"), SUPPORT, at=six_hours_ago, token=token, shape=shape)
    assert await post(url, other) == 401
    for at in (time.time() - 25 * 3600, time.time() + 3600):
        assert await post(url, posts.mailgun(mail(), SUPPORT, at=at, shape=shape)) == 401
    assert await post(url, posts.mailgun(mail(), SUPPORT, key="wrong", shape=shape)) == 401
    assert await post(url, posts.mailgun(mail(), SUPPORT, key="", shape=shape)) == 401
    assert await stored(stage) == [LATIN]


async def test_T27_sendgrid_signs_with_a_key_where_one_is_set(stage: Stage) -> None:
    config = pushed(stage, "sendgrid")
    config["inboxes"]["support"]["http"]["key"] = posts.SENDGRID_KEY
    await stage.open(config)
    control = await control_room(stage)
    said = await ask(stage, control, "!inbox hook support")
    url = next(word for word in said.split() if "/in/" in word)
    request = posts.sendgrid(LATIN, SUPPORT, signed=True)
    assert await post(url, request) == 200
    assert await post(url, posts.sendgrid(LATIN, SUPPORT)) == 401, "a password is not enough"
    assert await post(url, request.with_body(request.body.replace(b"Dark", b"Evil"))) == 401
    assert await stored(stage) == [LATIN]


async def test_T27_amazon_is_believed_for_its_topic_and_certificate_only(stage: Stage) -> None:
    amazon, other = Amazon(), Amazon()
    _, url = await hooked(stage, "ses")
    stage.app.posts.amazon.fetch = amazon.fetch
    assert await post(url, amazon.subscription(topic="arn:aws:sns:evil")) == 401
    assert await post(url, amazon.subscription(url="https://evil.example/")) == 401
    assert await post(url, amazon.subscription()) == 200
    asked = {posts.CERTIFICATE_URL, posts.SUBSCRIBE_URL}
    assert set(amazon.fetched) == asked
    assert await post(url, amazon.ses(mail(), SUPPORT, topic="arn:aws:sns:evil")) == 401
    assert await post(url, other.ses(mail(), SUPPORT)) == 401
    for where in ("https://evil.example/x.pem", "http://sns.eu-west-1.amazonaws.com/x.pem",
                  "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem",
                  "https://x@sns.eu-west-1.amazonaws.com:444/x.pem",
                  "https://sns.s3-us-west-2.amazonaws.com/SimpleNotificationService-1.pem",
                  "https://sns.eu-west-1.amazonaws.com/?Action=x&y=SimpleNotificationService-1.pem",
                  "https://sns.eu-west-1.amazonaws.com/x.pem"):  # fmt: skip
        assert await post(url, amazon.ses(mail(), SUPPORT, certificate=where)) == 401
    assert set(amazon.fetched) == asked
    assert await post(url, amazon.ses(mail(), SUPPORT, version="1")) == 200
    whole, other_url = amazon.certificate, posts.CERTIFICATE_URL.replace("-1.pem", "-2.pem")
    amazon.certificate = whole[:500]  # cut on its way: that is no forgery, and is not kept
    later = mail("Later", message_id="<l@c.example>")
    assert await post(url, amazon.ses(later, SUPPORT, certificate=other_url)) == 503
    amazon.certificate = whole
    assert await post(url, amazon.ses(later, SUPPORT, certificate=other_url)) == 200
    assert len(await stored(stage)) == 2


async def test_T27_mandrill_shows_its_key_after_its_trial_and_nothing_is_taken_before(
    stage: Stage,
) -> None:
    config = pushed(stage, "mandrill")
    config["inboxes"]["support"]["http"]["key"] = ""
    await stage.open(config)
    control = await control_room(stage)
    said = await ask(stage, control, "!inbox hook support", "Nothing is taken before the key")
    url = next(word for word in said.split() if "/in/" in word)
    assert await post(url, posts.mandrill_of([], url, "test-webhook")) == 200
    assert await post(url, posts.mandrill(mail(), SUPPORT, url, key="test-webhook")) == 503
    await stage.sees(control, "is not set yet, so nothing is taken")
    assert await stored(stage) == []


async def test_what_comes_in_parts_is_put_together_and_told_once(stage: Stage) -> None:
    control, url = await hooked(stage, "postmark")
    for number in range(3):
        request = posts.postmark(b"", SUPPORT, whole=False, id_=str(number))
        assert await post(url, request) == 200
    room = await stage.conversation()
    await stage.sees(room, "my display stays dark")
    await stage.sees(control, "Postmark: Mails come in parts")
    await stage.quiet()
    told = [each for each in stage.hs.bodies(control) if "come in parts" in each]
    assert len(told) == 1
    raw = (await stored(stage))[0]
    assert b"\nBcc:" not in raw
    assert b"Message-ID: <p1@customer.example>" in raw


async def test_a_password_is_asked_for_before_the_body_is_read(stage: Stage) -> None:
    _, url = await hooked(stage, "relay")
    host, _, path = url.partition("@")[2].partition("/")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    head = f"POST /{path} HTTP/1.1\r\nHost: x\r\nContent-Type: message/rfc822\r\n"
    writer.write(f"{head}Content-Length: 100000000\r\n\r\n".encode())
    async with asyncio.timeout(30):
        assert b" 401 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize(("kind", "answer"), [
    ("relay", 413), ("mailgun", 406), ("postmark", 403), ("sendgrid", 413), ("mandrill", 200),
    ("ses", 413),
])  # fmt: skip
async def test_what_is_too_large_is_refused_for_good_and_told(
    stage: Stage, kind: str, answer: int
) -> None:
    amazon = Amazon()
    config = pushed(stage, kind)
    config["limits"] = {"mail_size": 100_000}
    await stage.open(config)
    stage.app.posts.amazon.fetch = amazon.fetch
    control = await control_room(stage)
    said = await ask(stage, control, "!inbox hook support")
    url = next(word for word in said.split() if "/in/" in word)
    raw = mail("x" * 120_000)
    assert await post(url, faithful(kind, raw, SUPPORT, url, amazon)) == answer
    await stage.sees(control, "was refused, for limits.mail_size")
    assert await post(url, posts.relay(b"x" * 2_000_000, SUPPORT)) in (
        KINDS[kind].too_large, KINDS[kind].unusable, 401, 503,
    )  # fmt: skip
    assert await stored(stage) == []


async def test_a_full_disk_and_a_database_that_is_busy_are_faults_of_ours(stage: Stage) -> None:
    _, url = await hooked(stage, "relay")
    database, request = stage.app.database, posts.relay(mail(), SUPPORT)
    database.free_space = lambda: 1000  # type: ignore[method-assign]  # the disk's part
    assert await post(url, request) == 503
    del database.free_space  # back to the class's
    if stage.database.startswith("sqlite:"):
        await stage.quiet()
        other = sqlite3.connect(stage.folder / "postroom.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            assert await post(url, request) == 503
        finally:
            other.execute("ROLLBACK")
            other.close()
    assert await post(url, request) == 204
    assert len(await stored(stage)) == 1


async def test_rails_paths_take_mail_for_every_inbox_by_its_recipient(stage: Stage) -> None:
    config = pushed(stage, "relay")
    config["ingress"] = {"password": "geheim", "others_to": "support"}
    await stage.open(config)
    public = stage.app.desk.settings.public_url.replace("http://", "http://actionmailbox:geheim@")
    rails = f"{public}/rails/action_mailbox"
    for name in ("relay", "postfix", "exim", "qmail"):
        raw = mail(f"By {name}", message_id=f"<{name}@customer.example>")
        assert await post(f"{rails}/{name}/inbound_emails", posts.relay(raw, SUPPORT)) == 204
    odd = Request(mail("x", to="else@where.example"), {"Content-Type": "MESSAGE/RFC822; x=y"})
    assert await post(f"{rails}/relay/inbound_emails/", odd) == 204
    postmark = posts.postmark(mail("P", message_id="<p@c.example>"), SUPPORT)
    assert await post(f"{rails}/postmark/inbound_emails", postmark) == 200
    assert len(await stored(stage)) == 6
    empty = Request(b" ", {"Content-Type": "message/rfc822"})
    assert await post(f"{rails}/relay/inbound_emails", empty) == 422
    text = Request(mail(), {"Content-Type": "text/plain"})
    assert await post(f"{rails}/relay/inbound_emails", text) == 415
    wrong = rails.replace("geheim", "x")
    assert await post(f"{wrong}/relay/inbound_emails", posts.relay(mail(), SUPPORT)) == 401
    assert await post(f"{rails}/nothing/inbound_emails", posts.relay(mail(), SUPPORT)) == 404


async def test_what_no_inbox_owns_is_refused_where_none_takes_it(stage: Stage) -> None:
    config = pushed(stage, "relay")
    config["ingress"] = {"password": "geheim"}
    await stage.open(config)
    public = stage.app.desk.settings.public_url.replace("http://", "http://actionmailbox:geheim@")
    url = f"{public}/rails/action_mailbox/relay/inbound_emails"
    raw = mail("x", to="else@where.example")
    assert await post(url, Request(raw, {"Content-Type": "message/rfc822"})) == 422
    tagged = posts.relay(raw, SUPPORT.replace("@", "+x@"))
    assert await post(url, tagged) == 204


async def test_rails_paths_are_closed_without_a_password(stage: Stage) -> None:
    await stage.open(pushed(stage, "relay"))
    public = stage.app.desk.settings.public_url.replace("http://", "http://actionmailbox:@")
    url = f"{public}/rails/action_mailbox/relay/inbound_emails"
    assert await post(url, posts.relay(mail(), SUPPORT)) == 401


async def test_mail_for_a_draft_is_shown_in_the_control_room(
    stage: Stage, names: DnsServer
) -> None:
    names.texts["s1._domainkey.google.com"] = RECORD
    config = pushed(stage, "relay")
    config["inboxes"], config["name_servers"] = {}, [names.address]
    await stage.open(config)
    control = await control_room(stage)
    await ask(stage, control, f"!inbox add {SUPPORT}", "say forward, relay, mailgun")
    await ask(stage, control, "relay", "Which server sends its mail?")
    await ask(stage, control, "local", "Who answers this mail?")
    await ask(stage, control, ALICE, "gives the address to which its mail is posted")
    said = await ask(stage, control, "!inbox hook support")
    url = next(word for word in said.split() if "/in/" in word)
    assert await post(url, posts.relay(mail(), SUPPORT)) == 204
    await stage.sees(control, "A mail came for draft support. It becomes a conversation once")
    assert await post(url, posts.relay(gmails_question("vf-x"), SUPPORT)) == 204
    await stage.sees(control, "(proven by a signature)\nSubject: Dark display\nvf-x")
    await stage.sees(control, "Somebody wants their mail to be forwarded to support.")
    forged = mail("vf-y", sender="forwarding-noreply@google.com", message_id="<g2@google.com>")
    assert await post(url, posts.relay(forged, SUPPORT)) == 204
    await stage.sees(control, "(not proven: anybody may have written this)\nSubject: Dark")
    await ask(stage, control, "!inbox publish support", "mail that arrives from now on")
    await stage.queue(ALICE)
    await stage.sees(await stage.conversation(), "my display stays dark")
    live = gmails_question("vf-live", subject="(#9) Gmail Forwarding Confirmation")
    assert await post(url, posts.relay(live, SUPPORT)) == 204
    await stage.sees(control, "vf-live")
    await stage.quiet()
    assert len(await stored(stage)) == 2, "Gmail's question is no conversation, a forged one is"
    assert "mail is brought to it, the last" in await ask(stage, control, "!status")


async def test_a_new_address_ends_the_one_before(stage: Stage) -> None:
    control, url = await hooked(stage, "relay")
    assert url in await ask(stage, control, "!inbox hook support"), "the same is shown again"
    said = await ask(stage, control, "!inbox hook support new")
    assert await post(url, posts.relay(mail(), SUPPORT)) == 404
    fresh = next(word for word in said.split() if "/in/" in word)
    assert await post(fresh, posts.relay(mail(), SUPPORT)) == 204


async def test_an_answer_to_a_token_in_the_envelope_finds_its_conversation(stage: Stage) -> None:
    """A forward has the address it was sent to nowhere else."""
    _, url = await hooked(stage, "relay")
    assert await post(url, posts.relay(mail(), SUPPORT)) == 204
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    token = stage.app.desk.tokens.reply_address(1, SUPPORT)
    later = mail("And now?", to="team@else.example", message_id="<m2@customer.example>")
    assert await post(url, posts.relay(later, token)) == 204
    await stage.sees(room, "And now?")


async def test_a_hook_that_is_asked_for_too_early_says_what_is_lacking(stage: Stage) -> None:
    await stage.open()
    control = await control_room(stage)
    await ask(stage, control, "!inbox hook support", "Say who posts its mail first")
    assert json.dumps(stage.hs.bodies(control)).count("/in/") == 0
