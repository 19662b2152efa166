"""Plays a story and takes pictures of its rooms: queue, conversation, drafts, questions, help."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.async_api import Browser

from tests import screens_client
from tests.servers.matrix_state import Room
from tests.stage import ADMIN, ALICE, BOB, Stage, mail

SIZES = {"": {"width": 1280, "height": 800}, "-phone": {"width": 390, "height": 844}}
TABLE = """<p>Hello,</p><p>my display of <b>order 4711</b> stays dark. What I see:</p>
<table><tr><th>Item</th><th>Count</th><th>Price</th></tr>
<tr><td>Display 2</td><td>1</td><td>120 €</td></tr>
<tr><td>Cable</td><td>2</td><td>9 €</td></tr></table>
<ul><li>the light is <s>green</s> red</li>
<li>the cable is new</li></ul><p>See <a href="https://shop.example/4711">the order</a>.</p>
<p>Kind regards<br>Carla</p><div>-- <br>Carla Customer<br>Customer Ltd</div>"""
PHOTO, MANUAL = ("photo.png", "image/png", b"PNG"), ("order.pdf", "application/pdf", b"%PDF")


async def shoot(browser: Browser, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        stage = Stage(Path(place), f"sqlite:{place}/postroom.db")
        await stage.start()
        try:
            rooms = await _play(stage)
            for name, room in rooms.items():
                for poor in (False, True):
                    text = screens_client.page(stage.hs, room, poor=poor)
                    await _picture(browser, folder, f"{name}{'-x' if poor else ''}", text)
        finally:
            await stage.close()
            await stage.stop()


async def _picture(browser: Browser, folder: Path, name: str, text: str) -> None:
    for kind, size in SIZES.items():
        page = await browser.new_page(viewport=size)
        await page.set_content(text)
        await page.screenshot(path=folder / f"room-{name}{kind}.png", full_page=True)
        await page.close()


async def _play(stage: Stage) -> dict[str, Room]:
    """The rooms of an afternoon, by name."""
    await stage.open(undo=0, signature="Acme Support")
    queue = await stage.queue(ALICE, BOB)
    await stage.mail(mail(html=TABLE, files=(PHOTO, MANUAL), cc="Dora Doe <dora@customer.example>"))
    await stage.mail(mail("Where is my invoice?", subject="Invoice", message_id="<2@x.example>",
                          sender="Emil <emil@shop.example>"))  # fmt: skip
    await stage.mail(mail("Sale!", subject="News", message_id="<3@x.example>", List_ID="<n.x>",
                          sender="News <news@x.example>"))  # fmt: skip
    room, second = await stage.conversation(1), await stage.conversation(2)
    await stage.conversation(3)
    await stage.quiet()
    card = await stage.sees(queue, "#1 Carla Customer")
    stage.hs.react(ALICE, queue.id, card["event_id"], "✋")
    await stage.sees(queue, "taken by Alice")
    for who in (ALICE, BOB):
        stage.hs.join(who, room.id)
        stage.hs.join(who, second.id)
    stage.hs.say(BOB, room.id, "It is the cable, every time.")
    stage.hs.say(ALICE, room.id, "!reply Dear Carla,\n\nplease change **the cable**.")
    await stage.sees(room, "Send to it too?")  # Dora is new, and nothing proves who named her
    stage.hs.say(ALICE, room.id, "!yes")
    await stage.sees(room, "✅ sent")
    answer = ("That helped, thank you!\n\nOn Monday Alice from Support wrote:\n> Dear Carla,\n>\n"
              "> please change the cable.\n")  # fmt: skip
    await stage.mail(mail(answer, subject="Re: Dark display", message_id="<4@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "That helped")
    stage.hs.say(BOB, room.id, "!reply You are welcome.")
    await stage.sees(room, "less than a minute ago")
    stage.hs.say(ALICE, second.id, "!draft Dear Emil,\n\nit is on its way.")
    await stage.sees(second, "✅ sends it")
    for text in ("!close", "!rpely Hello", "!info", "!help"):
        stage.hs.say(ALICE, second.id, text)
        await stage.quiet()
    stage.hs.say(ALICE, queue.id, "!list")
    await stage.quiet()
    control = await stage.enter("Postroom control", ADMIN)
    for text in ("!status", "!agent list", "!inbox add sales@acme.example", "?"):
        stage.hs.say(ADMIN, control.id, text)
        await stage.quiet()
    return {"queue": queue, "conversation": room, "draft-and-help": second, "control": control}
