"""Pictures of the desk: queue with cards, a conversation, a draft, a report, a page of a draft."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser

from bridge.chat import chart, draft, initials, listing, render, report, status
from bridge.config.inbox import Inbox
from bridge.mail import compose
from bridge.mail.written import to_html
from bridge.model import (
    Address,
    Content,
    Conversation,
    Delivery,
    DeliveryState,
    EventId,
    InboxId,
    MessageId,
    Mxid,
    Number,
    Priority,
    Recipient,
    RoomId,
    State,
    Timing,
)

NOW = 1_790_000_000.0
ALICE, BOB = Mxid("@alice:acme.example"), Mxid("@bob:acme.example")
CARLA = Address("carla@customer.example", "Carla Customer")
INBOX = Inbox(id=InboxId("support"), name="Support", address="support@acme.example")
BOT = Address("postroom@", "Postroom")


def row(who: Address, content: Content, *reactions: str) -> str:
    """One message as a client lays it out, with a face and reactions."""
    picture = initials.draw(initials.letters(who), initials.colour(who.key))
    face = base64.b64encode(picture).decode()
    shown = content.get("formatted_body") or html.escape(content["body"]).replace("\n", "<br>")
    if content["msgtype"] == "m.notice":
        shown = f'<div style="color:#737d8c">{shown}</div>'
    keys = "".join(f'<span class="key">{each} 1</span>' for each in reactions)
    return (
        f'<div class=row><img class=face style="max-width:32px" src="data:image/png;base64,{face}">'
        f"<div class=body><div class=who>{html.escape(who.name or who.spec)}</div>{shown}{keys}"
        "</div></div>"
    )


def about(number: int, subject: str, **changes: object) -> Conversation:
    made = {
        "number": Number(number), "inbox": INBOX.id, "contact": CARLA, "subject": subject,
        "state": State.OPEN, "created_at": NOW, "changed_at": NOW, "waiting_since": NOW - 5400,
        "room": RoomId("!r"), "preview": "Hello,\nthe display of order 4711 stays dark.",
        "files": "📎 photo.png (12 kB)",
    }  # fmt: skip
    return Conversation(**(made | changes))


def queue() -> str:
    conversations = [
        about(41, "Display of order 4711 stays dark", priority=Priority.HIGH, tags=("billing",)),
        about(42, "Invoice 2026-1187: wrong address", contact=Address("emil@shop.example", "Emil"),
              assignee=ALICE, files="", preview="Please send it to our new address."),
        about(43, "Re: Invoice 2026-1187", claim=Number(42), files="", preview="One more thing …"),
        about(44, "Thank you!", state=State.ANSWERED, assignee=BOB, files=""),
        about(45, "Parcel lost", state=State.SNOOZED, snoozed_until=NOW + 90_000, assignee=BOB),
    ]  # fmt: skip
    summary = listing.summary(3, 2, conversations[:3], INBOX, "acme.example", NOW)
    rows = [row(BOT, summary)]
    for each in conversations:
        keys = ("✋", "🔗") if each.claim else ("✋",)
        rows.append(row(BOT, render.card(each, "acme.example"), *keys))
    hits = listing.conversations("Support, open", conversations, 5, "acme.example", NOW)
    return "".join((*rows, row(BOT, hits)))


def _delivery(state: DeliveryState) -> Delivery:
    return Delivery(
        id=1, inbox=INBOX.id, conversation=Number(41), source=EventId("$s"),
        requested_by=EventId("$o"),
        agent=ALICE, state=state, subject="Re: Display of order 4711 stays dark", run_at=NOW + 10,
        created_at=NOW, finished_at=NOW,
        recipients=(Recipient(CARLA, "to"), Recipient(Address("boss@customer.example"), "cc")),
    )  # fmt: skip


def conversation() -> str:
    said = render.text_message
    return "".join((
        row(CARLA, said("Hello,\nthe display of order 4711 stays dark since Monday.\nCarla")),
        row(Address("alice@x", "alice"), said("Has anybody seen this before?")),
        row(Address("bob@x", "bob"), said("Yes. It is the cable, every time.")),
        row(Address("alice@x", "alice"), said("!reply Dear Carla,\nchange the cable."), "✅"),
        row(BOT, render.notice(status.text(_delivery(DeliveryState.SENT), "", NOW))),
        row(BOT, said(f"⏰ {ALICE}, Carla Customer has waited 4 h for an answer.")),
    ))  # fmt: skip


def a_draft() -> str:
    text = "Dear Carla,\n\nplease change **the cable**; a new one is on its way.\n\nBest,\nAlice"
    mail = compose.Outgoing(
        MessageId("<d@acme>"), Address(INBOX.address, "Alice from Support"), (CARLA,), (),
        "Re: Display of order 4711 stays dark", NOW, text, to_html(text), "Acme Support",
        files=(compose.File("manual.pdf", "application/pdf", b"x" * 12_000),),
    )  # fmt: skip
    one, two = _delivery(DeliveryState.DRAFT), _delivery(DeliveryState.APPROVING)
    asked = draft.preview(one, mail, draft.ask(one, "none"), "", "https://x.example/d")
    waits = draft.preview(two, mail, draft.ask(two, "leads"), "", "")
    return row(BOT, asked) + row(BOT, waits)


def a_report() -> str:
    def took(*seconds: float, tag: str = "billing") -> list[Timing]:
        return [Timing(NOW, each, (tag,), ALICE) for each in seconds]

    counted = [
        report.Counted("Support", took(*range(87)), took(*range(64)),
                       took(1200, 2400, 9000), took(86_400, 172_800)),
        report.Counted("Sales", took(*range(12), tag="offer"), took(*range(9), tag="offer"),
                       took(600, tag="offer"), []),
    ]  # fmt: skip
    days = [chart.Day(f"{n} Sep", (n * 7) % 23, (n * 5) % 19) for n in range(15, 22)]
    picture = chart.draw("Last 7 days, 15 Sep to 21 Sep", days)
    Image.open(io.BytesIO(picture)).verify()
    shown = base64.b64encode(picture).decode()
    image = f'<img style="max-width:100%" src="data:image/png;base64,{shown}">'
    content = report.text("Last 7 days, 15 Sep to 21 Sep", counted)
    agents = [f"{ALICE}: 2 open, 64 answered"]
    stats = report.stats("Support", 3, 2, counted[0], counted[0], agents)
    shown_image = {"msgtype": "m.image", "body": "", "formatted_body": image}
    return row(BOT, content) + row(BOT, shown_image) + row(BOT, render.notice(stats))


PAGES = {"queue": queue, "conversation": conversation, "draft": a_draft, "report": a_report}


async def shoot(browser: Browser, folder: Path, style: str, sizes: dict[str, object]) -> None:
    """Each page, as on a desk and as on a phone."""
    keys = ".key{display:inline-block;border:1px solid #e1e6ec;border-radius:12px;padding:0 8px;"
    head = f"<!DOCTYPE html><meta charset=utf-8><style>{style}{keys}margin:2px 4px 0 0}}</style>"
    for name, make in PAGES.items():
        for kind, size in sizes.items():
            page = await browser.new_page(viewport=size)
            await page.set_content(head + make())
            await page.screenshot(path=folder / f"desk-{name}{kind}.png", full_page=True)
            await page.close()
