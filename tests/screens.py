"""`make screens`: pictures of mails, as their page and as their room show them, to be looked at."""

from __future__ import annotations

import asyncio
import html
import sys
from pathlib import Path

from aiohttp import web
from playwright.async_api import Browser

from bridge.chat import file_event, mail_event
from bridge.config.inbox import Inbox
from bridge.demo.ports import free_ports
from bridge.mail import page as pages
from bridge.mail.page import View
from bridge.mail.reading import read
from bridge.model import Conversation, InboxId, Mail, Number, State
from tests import provision, screens_desk, screens_rooms
from tests.mail.parts import part_bytes
from tests.mail.samples import SAMPLES
from tests.servers.browser import browsing

FOLDER = Path("screens")
SHOWN = ("newsletter", "outlook", "invitation", "japanese", "bounce")
INBOX = Inbox(id=InboxId("support"), name="Support", address="support@acme.example")
DESK, PHONE = {"width": 1000, "height": 760}, {"width": 390, "height": 760}
# How Element lays a message out, near enough to judge by.
ROOM = """
body{margin:0;padding:16px 20px;background:#fff;color:#1b1d22;font:15px/24px Inter,system-ui,sans-serif}
.row{display:flex;gap:12px;margin-bottom:14px}.face{flex:none;width:32px;height:32px;border-radius:50%;
background:#368bd6;color:#fff;text-align:center;line-height:32px;font-weight:600}
.who{font-weight:600;color:#368bd6}.body{max-width:640px;min-width:0;overflow-wrap:anywhere}
blockquote{border-left:2px solid #ddd;margin:0 0 12px;padding-left:12px;color:#666}
table{border-collapse:collapse;margin:4px 0}td,th{border:1px solid #e1e6ec;padding:4px 12px;text-align:left}
p{margin:0 0 8px}h1{font-size:1.5em;margin:8px 0}h2,h3{margin:8px 0 4px}a{color:#0467dd;text-decoration:none}
summary{cursor:pointer;color:#656d77}.file{border:1px solid #e1e6ec;border-radius:8px;padding:6px 12px;
display:inline-block}img{max-width:160px;display:block;border-radius:8px}
"""


def room(raw: bytes, mail: Mail, url: str) -> str:
    """A mail's events as a client shows them."""
    _, body = read(raw, "", INBOX.own)
    about = Conversation(Number(1), INBOX.id, mail.sender, mail.subject, State.OPEN, 0, 0, None)
    above = mail_event.lines_above(mail, INBOX, about, ())
    content, _ = mail_event.content(mail, body, above, None)
    shown = content.get("formatted_body") or html.escape(content["body"])
    shown = shown.replace("<details>", "<details open>", 1)
    files = ""
    for each in mail.attachments:
        event = file_event.content(each, "mxc://x/y", each.size)
        name = html.escape(each.name)
        files += (
            f'<img src="{url}/part/{each.part}" alt="{name}">' if event["msgtype"] == "m.image"
            else f'<div class="file">📎 {name}</div> '
        )  # fmt: skip
    who = f"{mail.sender.name or mail.sender.spec} ({mail.sender.spec})"
    return (
        f"<!DOCTYPE html><meta charset=utf-8><style>{ROOM}</style><div class=row><div class=face>"
        f"{html.escape(who[:1])}</div><div class=body><div class=who>{html.escape(who)}</div>"
        f"{shown}{files}</div></div>"
    )


async def _serve(port: int) -> web.AppRunner:
    async def show(request: web.Request) -> web.Response:
        name, what = request.match_info["name"], request.match_info["what"]
        raw, url = SAMPLES[name], f"http://127.0.0.1:{port}/{name}"
        mail, _ = read(raw, "", INBOX.own)
        if what.startswith("part/"):
            return web.Response(body=part_bytes(raw, int(what[5:])), content_type="image/png")
        view = View("text" in request.query, "pictures" in request.query)
        match what:
            case "page":
                text, policy = pages.frame(mail, url, view, "n"), pages.outer_policy(url, "n")
            case "body":
                text, policy = pages.inner(mail, url, view), pages.inner_policy(url, view)
            case _:
                text, policy = room(raw, mail, url), ""
        return web.Response(
            text=text, content_type="text/html", headers={"Content-Security-Policy": policy}
        )

    app = web.Application()
    app.router.add_get("/{name}/{what:.+}", show)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


async def _shoot(browser: Browser, port: int, name: str) -> None:
    for what, size in (("page", DESK), ("room", DESK), ("page", PHONE), ("room", PHONE)):
        page = await browser.new_page(viewport=size)
        await page.goto(f"http://127.0.0.1:{port}/{name}/{what}", wait_until="load")
        kind = f"{what}-phone" if size is PHONE else what
        await page.screenshot(path=FOLDER / f"{name}-{kind}.png", full_page=what == "room")
        await page.close()


async def main() -> int:
    if provision.chromium() is None:
        print("make screens needs Chromium: python -m tests.provision as root", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    (port,) = free_ports(1)
    runner = await _serve(port)
    try:
        async with browsing() as (browser, _):
            for name in SHOWN:
                await _shoot(browser, port, name)
                print(f"screens/{name}-*.png")
            await screens_desk.shoot(browser, FOLDER, ROOM, {"": DESK, "-phone": PHONE})
            print("screens/desk-*.png")
            await screens_rooms.shoot(browser, FOLDER)
            print("screens/room-*.png")
    finally:
        await runner.cleanup()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
