"""Mail that comes straight to us: who has signed it decides whether its sender is proven."""

from __future__ import annotations

import base64
import hashlib
import time

import dkim
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from bridge.mail.dkim import key_names, signed_by, vouches
from tests.ingress import posts
from tests.servers.database import rows
from tests.servers.dns import DnsServer
from tests.stage import ALICE, SUPPORT, Stage, mail
from tests.stories.desk import ask, control_room
from tests.stories.hooks import post, pushed
from tests.stories.signing import KEY, NAME, RECORD, signed


@pytest.fixture
def names(names: DnsServer) -> DnsServer:
    """A name server with the key of the customer's domain."""
    names.texts[NAME] = RECORD
    return names


async def verdicts(
    stage: Stage, names: DnsServer, *raws: bytes, kind: str = "postmark"
) -> list[str]:
    """The verdict of each mail, as it comes by a provider."""
    config = pushed(stage, kind)
    config["name_servers"] = [names.address]
    await stage.open(config)
    control = await control_room(stage)
    said = await ask(stage, control, "!inbox hook support")
    url = next(word for word in said.split() if "/in/" in word)
    await stage.queue(ALICE)
    for raw in raws:
        assert await post(url, getattr(posts, kind)(raw, SUPPORT)) in (200, 204)
    await stage.quiet()
    found = await rows(stage.database, stage.folder, "SELECT verdict FROM mail ORDER BY id")
    return [row["verdict"] for row in found]


async def test_a_signature_of_the_senders_domain_proves_the_sender(
    stage: Stage, names: DnsServer
) -> None:
    names.texts["s1._domainkey.evil.example"] = RECORD
    later = mail("Other", message_id="<2@customer.example>")
    assert await verdicts(
        stage, names, signed(mail()), signed(later, "evil.example"),
        signed(mail("Changed", message_id="<3@customer.example>")).replace(b"Changed", b"Evil"),
        mail("None", message_id="<4@customer.example>"),
    ) == ["pass", "none", "none", "none"]  # fmt: skip


async def test_what_a_mail_server_of_ours_has_checked_is_not_checked_again(
    stage: Stage, names: DnsServer
) -> None:
    assert await verdicts(stage, names, signed(mail()), kind="relay") == ["none"]
    assert names.asked == []


async def test_a_name_server_that_is_silent_keeps_no_mail_back(
    stage: Stage, names: DnsServer
) -> None:
    names.is_silent = True
    began = time.monotonic()
    assert await verdicts(stage, names, signed(mail())) == ["none"]
    assert time.monotonic() - began < 30


def test_at_most_five_signatures_are_looked_at_and_odd_ones_name_nothing() -> None:
    raw = mail()
    for number in range(8):
        raw = signed(raw, f"d{number}.example")
    assert key_names(raw) == [f"s1._domainkey.d{n}.example" for n in (7, 6, 5, 4, 3)]
    for odd in (b"DKIM-Signature: d=a b.example; s=x/../y\r\n", b"DKIM-Signature: \xff;=;;\r\n",
                b"DKIM-Signature: s=x; d=localhost\r\n", b"DKIM-Signature: s=; d=x.example\r\n",
                b"DKIM-Signature: d=" + b"a." * 200 + b"example; s=x\r\n"):  # fmt: skip
        assert key_names(odd + mail()) == []
        assert signed_by(odd + mail(), {NAME: RECORD}) == []


def forged(how: str) -> bytes:
    """A mail of the customer's domain with something in it that its signature does not cover."""
    raw, names = mail(), [b"from", b"to", b"subject", b"date", b"message-id"]
    match how:
        case "bare CR":
            return b"X-A: a\rFrom: Boss <boss@customer.example>\r\rPay\r\n" + signed(raw)
        case "bare CR after the mail's From":
            return signed(raw).replace(b"\r\nSubject:", b"\r\nX: y\rSubject: Pay\r\nSubject:", 1)
        case "NUL":
            return b"X-A: a\0b\r\n" + signed(raw)
        case "SHA-1":
            return signed(raw, signature_algorithm=b"rsa-sha1")
        case "a second subject":
            return b"Subject: Pay\r\n" + signed(raw, include_headers=names)
        case "a second sender":
            return b"From: Boss <boss@customer.example>\r\n" + signed(raw, include_headers=names)
        case "another place for answers":
            return b"Reply-To: evil@evil.example\r\n" + signed(raw, include_headers=names)
        case "another type":
            return b"Content-Type: text/html\r\n" + signed(raw, include_headers=names)
        case _:
            raise ValueError(how)


@pytest.mark.parametrize("how", [
    "bare CR", "bare CR after the mail's From", "NUL", "SHA-1", "a second subject",
    "a second sender", "another place for answers", "another type",
])  # fmt: skip
def test_what_a_signature_does_not_cover_is_nobodys_word(how: str) -> None:
    names = [b"from", b"to", b"subject", b"date", b"message-id"]
    assert signed_by(signed(mail(), include_headers=names), {NAME: RECORD}) == ["customer.example"]
    assert signed_by(forged(how), {NAME: RECORD}) == []


def by_hand(raw: bytes, fields: list[str]) -> bytes:
    """The mail with a signature over these fields, as dkimpy refuses to make it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = {line.partition(b":")[0].lower().decode(): line for line in head.split(b"\r\n")}
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    ours = (f"DKIM-Signature: v=1; a=rsa-sha256; d=customer.example; s=s1; c=simple/simple;"
            f" h={':'.join(fields)}; bh={digest}; b=").encode()  # fmt: skip
    text = b"".join(lines[field] + b"\r\n" for field in fields) + ours
    made = KEY.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return ours + base64.b64encode(made) + b"\r\n" + raw


def test_a_signature_without_the_sender_proves_nothing() -> None:
    good = by_hand(mail(), ["from", "subject"])
    assert signed_by(good, {NAME: RECORD}) == ["customer.example"]
    bad = by_hand(mail(), ["to", "subject"])
    assert dkim.verify(bad, dnsfunc=lambda name, timeout=5: RECORD.encode())
    assert signed_by(bad, {NAME: RECORD}) == []
    assert signed_by(by_hand(mail(), ["from", "to"]), {NAME: RECORD}) == []


def test_a_signature_over_a_part_of_the_body_proves_nothing() -> None:
    raw = signed(mail(), length=True)
    assert b"; l=" in raw.replace(b"\r\n", b"")
    assert signed_by(raw, {NAME: RECORD}) == []
    assert signed_by(signed(mail()), {NAME: RECORD}) == ["customer.example"]
    assert signed_by(signed(mail()), {NAME: "v=DKIM1; p=AAAA"}) == []


@pytest.mark.parametrize(("domain", "sender", "good"), [
    ("acme.example", "acme.example", True), ("mail.acme.example", "acme.example", True),
    ("acme.example", "eu.acme.example", True), ("evilacme.example", "acme.example", False),
    ("acme.example.evil", "acme.example", False), ("other.example", "acme.example", False),
    ("evil.eu.org", "eu.org", False), ("evil.github.io", "github.io", False),
    ("evil.co.uk", "co.uk", False), ("github.io", "victim.github.io", False),
    ("mail.acme.co.uk", "acme.co.uk", True), ("co.uk", "co.uk", True),
])  # fmt: skip
def test_whom_a_domain_vouches_for(domain: str, sender: str, good: bool) -> None:
    assert vouches(domain, sender) is good


async def test_a_named_group_that_rewrites_from_is_unwrapped_and_nobody_else(
    stage: Stage, names: DnsServer
) -> None:
    group = "help@group.example"
    names.texts["s1._domainkey.group.example"] = RECORD
    fields = [b"from", b"to", b"subject", b"date", b"message-id", b"x-original-from"]
    config = pushed(stage, "postmark")
    config["inboxes"]["support"]["forwarders"] = [group]
    config["name_servers"] = [names.address]
    await stage.open(config)
    control = await control_room(stage)
    said = await ask(stage, control, "!inbox hook support")
    url = next(word for word in said.split() if "/in/" in word)
    await stage.queue(ALICE)
    true = {"X_Original_From": "Carla Doe <carla@yahoo.example>"}
    senders = ((group, "group.example"), ("other@group.example", "group.example"),
               (group, "evil.example"))  # fmt: skip
    for number, (sender, domain) in enumerate(senders, 1):
        raw = mail(
            f"Text {number}", sender=f"'Carla' via Help <{sender}>", subject=f"About {number}",
            message_id=f"<{number}@x.example>", **true,
        )  # fmt: skip
        raw = signed(raw, domain, include_headers=fields)
        assert await post(url, posts.postmark(raw, SUPPORT)) == 200
        await stage.sees(await stage.conversation(number), f"Text {number}")
    await stage.quiet()
    found = await rows(stage.database, stage.folder, "SELECT sender_key FROM mail ORDER BY id")
    assert [row["sender_key"] for row in found] == [
        "carla@yahoo.example", "other@group.example", group
    ]  # fmt: skip
    await stage.sees(await stage.conversation(1), f"↪ forwarded by {group}")
    await stage.sees(await stage.conversation(3), "said to be from Carla Doe <carla@yahoo.example>")
