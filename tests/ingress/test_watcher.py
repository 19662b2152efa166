"""The watcher through a proxy that cuts mid-literal, mid-IDLE and goes half-open."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.servers.proxy import Proxy
from tests.stage import ALICE, SUPPORT, Stage, mail, until

BIG = mail("Big one", files=(("a.bin", "application/octet-stream", b"\x01\xff* " * 50_000),))


@pytest.fixture
async def proxy(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    monkeypatch.setattr("bridge.ingress.imap.TIMEOUT", 1.0)
    monkeypatch.setattr("bridge.ingress.imap.FIRST_WAIT", 0.1)
    proxy = Proxy(stage.imap.port)
    await proxy.start()
    config = stage.config()
    config["inboxes"]["support"]["imap"] |= {"port": proxy.port, "poll": 2}
    await stage.open(config)
    await stage.queue(ALICE)
    yield proxy
    await proxy.stop()


async def shown_once(stage: Stage, text: str) -> None:
    room = await stage.conversation()
    await stage.sees(room, text)
    await stage.quiet()
    assert sum(text in body for body in stage.hs.bodies(room)) == 1


@pytest.mark.parametrize("after", [300, 5_000, 100_000])
async def test_a_cut_inside_a_mail_stores_nothing_half(
    stage: Stage, proxy: Proxy, after: int
) -> None:
    proxy.cut_after = after
    await stage.mail(BIG)
    await shown_once(stage, "Big one")
    assert proxy.connections >= 2
    room = await stage.conversation()
    await until(lambda: "a.bin" in stage.hs.bodies(room), "the file")
    url = stage.hs.messages(room)[-1]["content"]["url"]
    assert stage.hs.media[url] == b"\x01\xff* " * 50_000


async def test_a_cut_during_idle_is_noticed_at_once(stage: Stage, proxy: Proxy) -> None:
    proxy.cut()
    await stage.mail(mail())
    await shown_once(stage, "my display stays dark")


async def test_a_half_open_connection_is_given_up(stage: Stage, proxy: Proxy) -> None:
    proxy.frozen = True
    await stage.mail(mail())
    await until(lambda: proxy.connections >= 2, "another connection")
    proxy.frozen = False
    await shown_once(stage, "my display stays dark")


async def test_seen_set_by_a_person_changes_nothing(stage: Stage, proxy: Proxy) -> None:
    await stage.imap.append(SUPPORT, mail(), flags=(rb"\Seen",))
    await shown_once(stage, "my display stays dark")
