"""`!original`: signed links, sealed pages, and a real browser in which nothing of a mail acts."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page

from bridge.demo.ports import free_ports
from bridge.mail import page as pages
from bridge.mail.page import View
from bridge.mail.reading import read
from bridge.mail.token import Links
from tests import provision
from tests.corpus import mails
from tests.mail.samples import PNG, SAMPLES
from tests.servers.browser import browsing
from tests.servers.database import rows
from tests.servers.matrix_state import Room
from tests.stage import ALICE, Stage, mail
from tests.stories.desk import begun

needs_chromium = pytest.mark.skipif(provision.chromium() is None, reason="needs Chromium")


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def opened(stage: Stage, raw: bytes) -> tuple[Room, str]:
    """A conversation with one mail, and the link that `!original` gives."""
    (port,) = free_ports(1)
    config = stage.config()
    config |= {"public_url": f"http://127.0.0.1:{port}", "public": {"port": port}}
    await stage.open(config)
    await stage.queue(ALICE)
    await stage.mail(raw)
    room = await stage.conversation()
    await stage.sees(room, "")
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!original")
    said = await stage.sees(room, "The mail as it came, for 24 hours: ")
    return room, said["content"]["body"].rpartition(" ")[2]


async def test_a_link_opens_the_mail_and_nothing_else_does(
    stage: Stage, http: aiohttp.ClientSession
) -> None:
    raw = SAMPLES["outlook"]
    _, url = await opened(stage, raw)
    async with http.get(url) as answer:
        text = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert "Angebot für 200 Stück" in text
    assert "joerg.mueller@kunde.example" in text
    assert "default-src 'none'" in policy and "script-src" not in policy
    async with http.get(f"{url}/body") as answer:
        assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-popups")
        body = await answer.text()
    (picture,) = re.findall(r'src="([^"]*/part/\d+)"', body)
    async with http.get(picture) as answer:
        assert (answer.content_type, await answer.read()) == ("image/png", PNG)
    async with http.get(f"{url}/mail.eml") as answer:
        assert await answer.read() == raw.rstrip() + b"\r\n" or await answer.read() == raw
        assert "attachment" in answer.headers["Content-Disposition"]
    async with http.get(f"{url}/source") as answer:
        assert answer.content_type == "text/plain"
        assert "Content-Type: multipart/related" in await answer.text()
    forged = Links("x").url_of(stage.app.desk.settings.public_url, Links("other").sign(1))
    # not its last letter: some of the bits of that mean nothing
    changed = f"{url[:-9]}{'a' if url[-9] != 'a' else 'b'}{url[-8:]}"
    for wrong in (changed, forged, f"{url}/part/0", f"{url}/part/99"):
        async with http.get(wrong) as answer:
            assert answer.status == 404, wrong
    await stage.quiet()
    async with stage.app.database.transaction("settings") as tx:
        await tx.conn.execute("UPDATE raw SET bytes = $1", b"")
    async with http.get(url) as answer:
        assert answer.status == 410
        assert "not kept any more" in await answer.text()


async def test_a_link_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    links = Links("secret")
    token = links.sign(7)
    assert links.read(token) == 7
    monkeypatch.setattr(Links, "hours", -1)
    assert links.read(token) is None
    assert links.read("") is None


async def test_without_public_pages_the_mail_comes_as_a_file(stage: Stage) -> None:
    raw = mail()
    room = await begun(stage, raw)
    stage.hs.say(ALICE, room.id, "!original")
    file = await stage.sees(room, "mail-1.eml")
    await stage.quiet()
    shown = next(e for e in stage.hs.messages(room) if e["content"]["body"] == "mail-1.eml")
    (kept,) = await rows(stage.database, stage.folder, "SELECT bytes FROM raw")
    assert stage.hs.media[shown["content"]["url"]] == bytes(kept["bytes"])
    relation = {"m.in_reply_to": {"event_id": file["event_id"]}}
    stage.hs.say(ALICE, room.id, "!original", **{"m.relates_to": relation})
    await stage.sees(room, "That is no mail of this conversation")


EVIL = """
<html><head><title>x</title><base href="http://evil.example/">
<meta http-equiv="refresh" content="0;url=http://evil.example/refresh">
<link rel="stylesheet" href="http://evil.example/a.css"><link rel="preconnect" href="http://evil.example">
<link rel="dns-prefetch" href="http://evil.example"><style>@import url(http://evil.example/b.css);
@font-face{font-family:x;src:url(http://evil.example/f)} p{font-family:x;background:url(http://evil.example/c)}
</style><script>document.title='pwned';fetch('http://evil.example/d')</script></head>
<body background="http://evil.example/e" onload="document.title='pwned'">
<p id="words">Words of the mail</p><img src="cid:red@x" id="own"><img src="http://evil.example/f.png" alt="gone">
<img srcset="http://evil.example/g.png 2x" src="//evil.example/h.png" onerror="document.title='pwned'">
<svg onload="document.title='pwned'"><image href="http://evil.example/i"/></svg>
<iframe src="http://evil.example/j"></iframe><object data="http://evil.example/k"></object>
<embed src="http://evil.example/l"><video poster="http://evil.example/m" src="http://evil.example/n" autoplay></video>
<audio src="http://evil.example/o" autoplay></audio><form action="http://evil.example/p"><input autofocus
onfocus="document.title='pwned'"></form><a href="javascript:document.title='pwned'" id="js">x</a>
<div style="background-image:url('http://evil.example/q')">y</div><table background="http://evil.example/r">
<tr><td>z</td></tr></table><math><maction actiontype="statusline">m</maction></math></body></html>
"""


def evil() -> bytes:
    raw = mail("plain", html=EVIL).replace(b"multipart/alternative", b"multipart/related")
    boundary = re.search(rb'boundary="([^"]+)"', raw)
    assert boundary is not None
    part = (b"--" + boundary[1] + b"\r\nContent-Type: image/png\r\nContent-ID: <red@x>\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(PNG)
            + b"--" + boundary[1] + b"--")  # fmt: skip
    return raw.replace(b"--" + boundary[1] + b"--", part)


async def _inside(page: Page) -> tuple[str, int]:
    """(text of the mail, width of its own picture) as the browser shows it."""
    frame = next(frame for frame in page.frames if frame.url.partition("?")[0].endswith("/body"))
    words = await frame.locator("#words").inner_text()
    return words, int(await frame.locator("#own").evaluate("node => node.naturalWidth"))


@needs_chromium
async def test_in_a_browser_no_script_runs_no_request_leaves_and_the_picture_shows(
    stage: Stage,
) -> None:
    _, url = await opened(stage, evil())
    async with browsing() as (browser, wire):
        page = await browser.new_page()
        await page.goto(url, wait_until="load")
        await page.wait_for_timeout(500)
        assert await _inside(page) == ("Words of the mail", 10)
        assert await page.title() == "Dark display"
        frame = page.frames[1]
        assert await frame.title() != "pwned"
        assert wire.called(EVIL) == []
        for path in ("/body", "/body?text=1", "/source"):
            await page.goto(f"{url}{path}", wait_until="load")
            assert await page.title() != "pwned"
        await page.wait_for_timeout(500)
        assert wire.called(EVIL) == []
        await page.goto(url)
        await page.get_by_role("link", name=re.compile("remote picture")).click()
        await page.wait_for_timeout(500)
        asked = {hit.split()[1].decode() for hit in wire.hits if b"evil.example" in hit}
        assert asked
        assert asked <= {"/f.png", "/g.png", "/h.png", "/c", "/e", "/i", "/q", "/r"}
        assert await page.frames[1].title() != "pwned"


@needs_chromium
async def test_the_page_fits_a_phone(stage: Stage) -> None:
    _, url = await opened(stage, SAMPLES["newsletter"])
    async with browsing() as (browser, _):
        page = await browser.new_page(viewport={"width": 390, "height": 844}, is_mobile=True)
        await page.goto(url, wait_until="load")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        frame = await page.locator("iframe").bounding_box()
        assert frame is not None
        assert frame["height"] > 400


@needs_chromium
@pytest.mark.corpus
@pytest.mark.timeout(600)
async def test_no_mail_of_the_corpus_makes_a_browser_call_anybody(tmp_path: Path) -> None:
    from aiohttp import web

    shown = [read(raw)[0] for _, raw in mails(Path(os.environ["MAIL_CORPUS"]))]
    shown = [each for each in shown if each.html]
    assert shown

    async def body(request: web.Request) -> web.Response:
        url = f"http://127.0.0.1:{port}/{request.match_info['n']}"
        text = pages.inner(shown[int(request.match_info["n"])], url, View())
        policy = pages.inner_policy(url, View())
        return web.Response(
            text=text, content_type="text/html", headers={"Content-Security-Policy": policy}
        )

    app = web.Application()
    app.router.add_get("/{n}", body)
    runner = web.AppRunner(app)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with browsing() as (browser, wire):
            page = await browser.new_page()
            for number in range(len(shown)):
                await page.goto(f"http://127.0.0.1:{port}/{number}", wait_until="load")
            await page.wait_for_timeout(300)
            assert wire.called(" ".join(each.html for each in shown)) == []
    finally:
        await runner.cleanup()
