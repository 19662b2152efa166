"""What the SMTP and LMTP listener holds of its clients, and how it lets go."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path

import pytest

from bridge.ingress import guard, smtp
from bridge.ingress.data import FULL
from bridge.ingress.envelope import Brought
from bridge.ingress.smtp import AS_LMTP, AS_SMTP
from tests.ingress.smtp_talk import OTHER, OURS, Listener, Talk
from tests.servers.dovecot import make_certs
from tests.stage import until

MAIL = b"Subject: x\r\n\r\nHello\r\n.\r\n"


async def is_free(listener: Listener) -> bool:
    return not listener.guard._total and not listener.connections


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01\x02\x00\x01\x00", b"no TLS at all\r\n"])
async def test_who_asks_for_tls_and_falls_silent_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hello: bytes
) -> None:
    monkeypatch.setattr(smtp, "READ", 0.3)
    make_certs(str(tmp_path))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    listener = Listener()
    async with listener.listening(tls=context) as port:
        talks = [await Talk.to(port) for _ in range(3)]
        for talk in talks:
            assert (await talk.say("EHLO x", "STARTTLS")).startswith("220")
            talk.writer.write(hello)
        handling = [each.task for each in listener.connections]
        await until(lambda: is_free(listener), "nobody is held")
        await asyncio.wait(handling, timeout=30)
        assert all(task.done() for task in handling)
        for talk in talks:
            talk.writer.close()


async def test_who_never_reads_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "READ", 0.5)
    listener = Listener()
    async with listener.listening() as port:
        talk = await Talk.to(port)
        talk.writer.write(b"HELP\r\n" * 200_000)
        await until(lambda: is_free(listener), "nobody is held")
        talk.writer.transport.abort()


@pytest.mark.parametrize("protocol", [AS_SMTP, AS_LMTP])
async def test_a_fault_nobody_foresaw_leaves_the_next_mail_its_own_envelope(protocol: str) -> None:
    listener = Listener()
    listener.fault = ValueError("odd")
    hello = "LHLO x" if protocol == AS_LMTP else "EHLO x"
    async with listener.listening(protocol) as port:
        talk = await Talk.to(port)
        await talk.begin(OURS, OTHER, hello=hello)
        talk.writer.write(MAIL)
        answers = 2 if protocol == AS_LMTP else 1
        assert [(await talk.hear())[:3] for _ in range(answers)] == ["451"] * answers
        listener.fault = None
        assert (await talk.say("MAIL FROM:<d@customer.example>")).startswith("250")
        assert (await talk.say(f"RCPT TO:<{OTHER}>", "DATA")).startswith("354")
        talk.writer.write(MAIL)
        assert (await talk.hear()).startswith("250")
        talk.writer.close()
    (mail,) = listener.taken
    assert (mail.sender, mail.recipients) == ("d@customer.example", [(OTHER, "sales")])


async def test_mails_that_never_end_take_so_much_memory_in_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard, "BUFFERED", 4_000_000)
    listener = Listener()

    async def begun(host: str, size: int) -> Talk:
        talk = await Talk.to(port, host)
        await talk.begin(OURS)
        talk.writer.write(b"x" * size)
        await talk.writer.drain()
        return talk

    async def held(size: int) -> bool:
        return listener.guard._bytes.total() >= size

    async with listener.listening() as port:
        first = await begun("127.1.0.1", 1_500_000)
        await until(lambda: held(1_500_000), "it is held")
        near = await begun("127.1.0.1", 700_000)
        near.writer.write(b"\r\n.\r\n")
        assert (await near.hear()).strip() == FULL, "that address has its half"
        other = await begun("127.2.0.1", 1_500_000)
        await until(lambda: held(3_000_000), "both are held")
        third = await begun("127.3.0.1", 1_500_000)
        third.writer.write(b"\r\n.\r\n")
        assert (await third.hear()).strip() == FULL
        assert (await third.begin(OURS)).startswith("354"), "the connection goes on"
        third.writer.write(MAIL)
        assert (await third.hear()).startswith("250")
        for each in (first, other):
            each.writer.write(b"\r\n.\r\n")
            assert (await each.hear()).startswith("250")
        assert not listener.guard._bytes
        for each in (first, near, other, third):
            each.writer.close()


async def test_a_mail_that_comes_too_slowly_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "WHOLE", 0.5)
    listener = Listener()
    async with listener.listening() as port:
        talk = await Talk.to(port)
        await talk.begin(OURS)
        talk.writer.write(b"x")
        assert (await talk.hear()).startswith("421 4.4.2")
        await until(lambda: is_free(listener), "nobody is held")
        talk.writer.close()


async def test_storing_may_take_longer_than_a_client_may_be_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smtp, "READ", 0.3)
    listener = Listener()

    async def slowly(mail: Brought) -> None:
        await asyncio.sleep(1.0)

    listener.take = slowly  # type: ignore[method-assign]  # a slow disk
    async with listener.listening() as port:
        talk = await Talk.to(port)
        await talk.begin(OURS)
        talk.writer.write(MAIL)
        assert (await talk.hear()).startswith("250")
        assert (await talk.hear()).startswith("421"), "the timer runs again"
        talk.writer.close()


async def test_a_stop_ends_idle_connections_and_waits_for_what_is_being_stored() -> None:
    listener, may = Listener(), asyncio.Event()

    async def waits(mail: Brought) -> None:
        await may.wait()

    async def storing() -> bool:
        return any(each._is_storing for each in listener.connections)

    listener.take = waits  # type: ignore[method-assign]  # a slow disk
    async with listener.listening() as port:
        idle, busy = await Talk.to(port), await Talk.to(port)
        await busy.begin(OURS)
        busy.writer.write(MAIL)
        await until(storing, "it is being stored")
        for each in list(listener.connections):
            each.stop()
        assert (await idle.hear()).startswith("421 4.3.2")
        assert len(listener.connections) == 1
        may.set()
        assert (await busy.hear()).startswith("250")
        assert (await busy.hear()).startswith("421")
        await until(lambda: is_free(listener), "nobody is held")
        for talk in (idle, busy):
            talk.writer.close()


async def test_an_address_brings_so_many_mails_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAILS", 3)
    monkeypatch.setattr(guard, "is_loopback", lambda address: False)
    listener = Listener()
    async with listener.listening() as port:
        talk = await Talk.to(port)
        await talk.say("EHLO x")
        said = [await talk.say("RSET", "MAIL FROM:<c@customer.example>") for _ in range(4)]
        assert [each[:3] for each in said] == ["250", "250", "250", "451"]
        talk.writer.close()


@pytest.mark.parametrize("odd", [b"\xff@acme.example", b"support+\xff@acme.example",
                                 b"support+z\0@acme.example"])  # fmt: skip
async def test_bytes_that_are_no_address_are_refused_for_good(odd: bytes) -> None:
    listener = Listener()
    async with listener.listening() as port:
        talk = await Talk.to(port)
        await talk.say("EHLO x", "MAIL FROM:<c@customer.example>")
        talk.writer.write(b"RCPT TO:<" + odd + b">\r\n")
        assert (await talk.hear())[:3] in ("553", "500", "501")
        talk.writer.close()


async def test_connections_by_a_named_proxy_count_for_who_is_behind_it() -> None:
    listener = Listener()
    listener.guard = guard.Guard(time.monotonic, ["127.0.0.1"])
    async with listener.listening() as port:

        async def through(source: str) -> Talk:
            talk = Talk(*await asyncio.open_connection("127.0.0.1", port))
            talk.writer.write(f"PROXY TCP4 {source} 192.0.2.9 4000 25\r\n".encode())
            talk.greeting = await talk.hear()
            return talk

        talks = [await through("192.0.2.1") for _ in range(guard.AT_ONCE)]
        assert all(talk.greeting.startswith("220") for talk in talks)
        refused = await through("192.0.2.1")
        assert refused.greeting.startswith("421 4.7.0 Too many connections")
        other = await through("203.0.113.7")
        await other.begin(OURS)
        other.writer.write(MAIL)
        assert (await other.hear()).startswith("250")
        check = Talk(*await asyncio.open_connection("127.0.0.1", port))
        check.writer.write(b"PROXY UNKNOWN\r\n")
        assert (await check.hear()).startswith("220")
        for talk in (*talks, refused, other, check):
            talk.writer.close()
        await until(lambda: is_free(listener), "nobody is held")


async def test_who_is_no_proxy_says_for_nobody_where_he_is_from() -> None:
    listener = Listener()
    listener.guard = guard.Guard(time.monotonic, ["127.0.0.1"])
    async with listener.listening() as port:
        talk = await Talk.to(port, "127.0.0.2")
        assert (await talk.say("PROXY TCP4 192.0.2.1 192.0.2.9 4000 25")).startswith("500")
        silent = Talk(*await asyncio.open_connection("127.0.0.1", port))
        silent.writer.write(b"EHLO x\r\nNOOP\r\n")
        assert await silent.reader.read() == b"", "a proxy has to say whose connection it is"
        for each in (talk, silent):
            each.writer.close()
        await until(lambda: is_free(listener), "nobody is held")
