"""The SMTP and LMTP listener, by clients that say what clients say."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.ingress.envelope import Brought
from bridge.ingress.guard import AT_ONCE, Guard
from bridge.ingress.smtp import AS_LMTP
from bridge.model import Transient
from tests.ingress.smtp_talk import OTHER, OURS, Listener, Talk, sent
from tests.servers.dovecot import make_certs


async def test_a_mail_is_taken_with_its_envelope() -> None:
    listener = Listener()
    async with listener.listening() as port:
        raw = b"Subject: x\r\n\r\n.dot\r\n..\r\n" + b"a" * 5000 + b"\r\nend \xff\r\n"
        await asyncio.to_thread(sent, port, raw, OURS, OTHER)
    (mail,) = listener.taken
    assert (mail.raw, mail.sender) == (raw, "c@customer.example")
    assert mail.recipients == [(OURS, "support"), (OTHER, "sales")]


async def test_T23_nothing_is_taken_for_others_and_nobody_logs_in() -> None:
    listener = Listener()
    async with listener.listening() as port:
        talk = await Talk.to(port)
        assert "AUTH" not in await talk.say("EHLO x")
        assert (await talk.say("AUTH PLAIN AHgAeA==")).startswith("502")
        await talk.say("MAIL FROM:<c@customer.example>")
        for spec in ("a@elsewhere.example", "support%elsewhere.example@acme.example",
                     "@acme.example:a@elsewhere.example", '"a@elsewhere.example"@acme.example',
                     "support@acme.example@elsewhere.example", "a!b@acme.example"):  # fmt: skip
            assert (await talk.say(f"RCPT TO:<{spec}>"))[:3] in ("550", "553"), spec
        assert (await talk.say("DATA")).startswith("503")
        talk.writer.close()
    assert not listener.taken


@pytest.mark.parametrize("ending", [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r\r\n",
    b"\r\n\x00.\r\n",
])  # fmt: skip
async def test_T21_only_a_dot_between_whole_line_ends_ends_a_mail(ending: bytes) -> None:
    listener = Listener()
    evil = (
        b"Subject: one\r\n\r\nHello" + ending + b"MAIL FROM:<evil@evil.example>\r\n"
        b"RCPT TO:<" + OURS.encode() + b">\r\nDATA\r\nSubject: two\r\n\r\nsmuggled"
    )
    async with listener.listening() as port:
        talk = await Talk.to(port)
        await talk.begin(OURS)
        talk.writer.write(evil + b"\r\n.\r\n")
        assert (await talk.hear()).startswith("250")
        assert (await talk.say("QUIT")).startswith("221"), "there is no second answer"
        talk.writer.close()
    (mail,) = listener.taken
    assert b"smuggled" in mail.raw


async def test_what_follows_the_dot_at_once_is_the_next_command() -> None:
    listener = Listener()
    async with listener.listening() as port:
        talk = await Talk.to(port)
        await talk.begin(OURS)
        talk.writer.write(b"Subject: x\r\n\r\nHello\r\n.\r\nNOOP\r\nRSET\r\n")
        assert [(await talk.hear())[:3] for _ in range(3)] == ["250", "250", "250"]
        assert (await talk.say("MAIL FROM:<>", f"RCPT TO:<{OURS}>", "DATA")).startswith("354")
        talk.writer.write(b".\r\n")
        assert (await talk.hear()).startswith("250"), "an empty mail has an end, too"
        talk.writer.close()
    assert [mail.sender for mail in listener.taken] == ["c@customer.example", ""]
    assert listener.taken[1].raw == b""


@pytest.mark.parametrize("cut", range(1, 7))
async def test_a_dot_is_found_wherever_the_network_cuts(cut: int) -> None:
    listener = Listener()
    async with listener.listening() as port:
        talk = await Talk.to(port)
        await talk.begin(OURS)
        whole = b"Subject: x\r\n\r\nHello\r\n.\r\n"
        talk.writer.write(whole[:-cut])
        await talk.writer.drain()
        await asyncio.sleep(0.05)
        talk.writer.write(whole[-cut:])
        assert (await talk.hear()).startswith("250")
        talk.writer.close()
    assert listener.taken[0].raw == b"Subject: x\r\n\r\nHello\r\n"


async def test_each_recipient_of_lmtp_has_its_answer() -> None:
    listener = Listener()
    async with listener.listening(AS_LMTP) as port:
        talk = await Talk.to(port)
        await talk.begin(OURS, "nobody@acme.example", OTHER, OURS, hello="LHLO x")
        talk.writer.write(b"Subject: x\r\n\r\nHello\r\n.\r\n")
        assert [(await talk.hear())[:3] for _ in range(3)] == ["250", "250", "250"]
        listener.fault = Transient("the database is away")
        await talk.begin(OURS, OTHER, hello="LHLO x")
        talk.writer.write(b"Subject: x\r\n\r\nHello\r\n.\r\n")
        assert [(await talk.hear())[:3] for _ in range(2)] == ["451", "451"]
        assert (await talk.say("EHLO x")).startswith("500"), "that is SMTP's word"
        talk.writer.close()
    assert len(listener.taken) == 1


@pytest.mark.parametrize("fault", [
    OSError("No space left on device: /secret/path"), Transient("x"), ValueError("odd"),
])  # fmt: skip
async def test_a_fault_of_ours_bounces_nothing_and_tells_nothing(fault: Exception) -> None:
    listener = Listener()
    listener.fault = fault
    async with listener.listening() as port:
        talk = await Talk.to(port)
        await talk.begin(OURS)
        talk.writer.write(b"Subject: x\r\n\r\nHello\r\n.\r\n")
        answer = await talk.hear()
        assert answer.startswith("451 4.3.0")
        assert "secret" not in answer
        talk.writer.close()


async def test_too_large_is_said_before_or_after_and_the_connection_goes_on() -> None:
    listener = Listener()
    async with listener.listening(limit=100_000) as port:
        talk = await Talk.to(port)
        assert "SIZE 100000" in await talk.say("EHLO x")
        assert (await talk.say("MAIL FROM:<a@b.example> SIZE=200000")).startswith("552")
        await talk.begin(OURS)
        talk.writer.write(b"x" * 300_000 + b"\r\n.\r\n")
        assert (await talk.hear()).startswith("552")
        await talk.begin(OURS)
        talk.writer.write(b"Subject: x\r\n\r\nHello\r\n.\r\n")
        assert (await talk.hear()).startswith("250")
        talk.writer.close()
    assert len(listener.taken) == 1


async def test_a_full_disk_a_loop_and_a_hundred_recipients_are_refused_for_what_they_are() -> None:
    listener = Listener()
    async with listener.listening() as port:
        talk = await Talk.to(port)
        listener.full = "The disk is nearly full"
        await talk.say("EHLO x")
        assert (await talk.say("MAIL FROM:<a@b.example>")).startswith("452")
        listener.full = ""
        await talk.begin(OURS)
        talk.writer.write(b"Received: x\r\n" * 51 + b"\r\nHello\r\n.\r\n")
        assert (await talk.hear()).startswith("554 5.4.6")
        await talk.say("MAIL FROM:<a@b.example>")
        answers = [(await talk.say(f"RCPT TO:<{OURS}>"))[:3] for _ in range(101)]
        assert (answers[99], answers[100]) == ("250", "452")
        talk.writer.close()


async def test_postmaster_null_senders_and_addresses_of_other_scripts_are_known() -> None:
    listener = Listener()
    async with listener.listening() as port:
        talk = await Talk.to(port)
        await talk.say("EHLO x", "MAIL FROM:<> SMTPUTF8")
        for spec in ("postmaster", "Postmaster@ACME.example", "grüße@acme.example"):
            assert (await talk.say(f"RCPT TO:<{spec}>")).startswith("250"), spec
        await talk.say("DATA")
        talk.writer.write("Subject: Grüße\r\n\r\nHello\r\n.\r\n".encode())
        assert (await talk.hear()).startswith("250")
        talk.writer.close()
    assert [owner for _, owner in listener.taken[0].recipients] == ["", "", "umlaut"]


async def test_a_client_that_hangs_up_after_the_dot_has_its_mail_stored() -> None:
    listener, stored = Listener(), asyncio.Event()

    async def slowly(mail: Brought) -> None:
        async def store() -> None:
            await asyncio.sleep(0.2)
            stored.set()

        await asyncio.shield(asyncio.ensure_future(store()))

    listener.take = slowly  # type: ignore[method-assign]  # what the desk does
    async with listener.listening() as port:
        talk = await Talk.to(port)
        await talk.begin(OURS)
        talk.writer.write(b"Subject: x\r\n\r\nHello\r\n.\r\n")
        talk.writer.write_eof()
        async with asyncio.timeout(30):
            await stored.wait()
        talk.writer.close()


async def test_400_idle_connections_are_refused_while_mail_flows() -> None:
    listener = Listener()
    async with listener.listening() as port:
        talk = await Talk.to(port)
        idle = [await Talk.to(port, "127.1.0.1") for _ in range(400)]
        greetings = [each.greeting[:3] for each in idle]
        assert greetings.count("220") == AT_ONCE
        assert set(greetings[AT_ONCE:]) == {"421"}
        await talk.begin(OURS)
        talk.writer.write(b"Subject: x\r\n\r\nHello\r\n.\r\n")
        assert (await talk.hear()).startswith("250")
        for each in (talk, *idle):
            each.writer.close()

        async def free() -> bool:
            return not listener.guard._held

        async with asyncio.timeout(30):
            while not await free():
                await asyncio.sleep(0.02)
        again = await Talk.to(port, "127.1.0.1")
        assert again.greeting.startswith("220")
        again.writer.close()


async def test_50_megabytes_stop_the_loop_for_no_third_of_a_second() -> None:
    listener = Listener()
    line = b"x" * 76 + b"\r\n"
    raw = b"Subject: x\r\n\r\n" + line * (50_000_000 // len(line))
    stops: list[float] = []

    async def watch() -> None:
        last = time.thread_time()  # of this thread: what others do on the machine does not count
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            stops.append(now - last)
            last = now

    async with listener.listening() as port:
        watching = asyncio.ensure_future(watch())
        await asyncio.to_thread(sent, port, raw, OURS)
        watching.cancel()
    assert listener.taken[0].raw == raw
    assert max(stops) < 0.3


async def test_what_is_said_before_tls_counts_for_nothing(tmp_path: Path) -> None:
    make_certs(str(tmp_path))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    listener = Listener()
    async with listener.listening(tls=context) as port:

        def talk() -> list[str]:
            with smtplib.SMTP("localhost", port, timeout=30) as client:
                client.ehlo()
                offers = [name for name in ("starttls", "auth") if client.has_extn(name)]
                client.docmd("MAIL FROM:<evil@evil.example>")
                trusted = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
                client.starttls(context=trusted)
                client.ehlo()
                code, _ = client.docmd(f"RCPT TO:<{OURS}>")
                client.sendmail("c@customer.example", [OURS], b"Subject: x\r\n\r\nHello\r\n")
                return [*offers, str(code), "auth" if client.has_extn("auth") else "no auth"]

        assert await asyncio.to_thread(talk) == ["starttls", "503", "no auth"]
    assert listener.taken[0].sender == "c@customer.example"


def test_an_address_begins_so_many_connections_a_minute_and_our_own_machine_more() -> None:
    now = 0.0
    guard = Guard(lambda: now)

    def begin(address: str) -> bool:
        admitted = guard.admits(address)
        if admitted:
            guard.leave(address)
        return admitted

    assert all(begin("192.0.2.7") for _ in range(300))
    assert not begin("192.0.2.7")
    assert begin("192.0.2.8"), "a neighbour may"
    assert all(begin("127.0.0.1") for _ in range(1000))
    now = 61.0
    assert begin("192.0.2.7")


@pytest.mark.parametrize(("first", "second", "shared"), [
    ("192.0.2.7", "192.0.2.8", 90), ("192.0.2.7", "192.0.9.1", 270),
    ("2001:db8::1", "2001:db8::2", 30), ("2001:db8:0:1::1", "2001:db8:0:2::1", 90),
    ("::ffff:192.0.2.7", "192.0.2.7", 30),
])  # fmt: skip
def test_wider_networks_share_a_wider_limit(first: str, second: str, shared: int) -> None:
    guard = Guard(lambda: 0.0)
    held = 0
    spread: Callable[[int], str] = lambda n: (first, second)[n % 2]  # noqa: E731 - short
    while guard.admits(spread(held)) or guard.admits(spread(held + 1)):
        held += 1
    assert held <= shared
