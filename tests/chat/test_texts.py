"""Cards, lists, statuses and drafts of every kind, as an agent reads them, kept to be looked at."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from bridge.chat import draft, listing, render, report, status
from bridge.config.inbox import Inbox
from bridge.mail import compose
from bridge.mail.template import Letterhead, fill
from bridge.model import (
    Address,
    Conversation,
    Delivery,
    DeliveryState,
    EventId,
    Form,
    InboxId,
    Letter,
    MailId,
    MessageId,
    Mxid,
    Number,
    Passage,
    Priority,
    Recipient,
    RecipientStatus,
    RoomId,
    SenderKind,
    State,
    Verdict,
)
from tests import golden

NOW = 1_790_000_000.0
"""2026-09-21, 14:13:20 UTC."""
ALICE, BOB, CARLA = Mxid("@alice:acme"), Mxid("@bob:acme"), Address("carla@x.example", "Carla C.")
INBOX = Inbox(id=InboxId("support"), name="Support", address="support@acme.example")
ABOUT = Conversation(
    Number(12), INBOX.id, CARLA, "Dark display", State.OPEN, NOW - 7200, NOW - 7200, NOW - 7200,
    RoomId("!room"), preview="Hello,\nmy display stays dark.", files="📎 photo.png (12 kB)",
)  # fmt: skip
LETTER = Letter(
    MailId(1), INBOX.id, Number(12), False, MessageId("<1@x>"), CARLA, (), (), (), "Dark display",
    (), SenderKind.PERSON, Verdict.NONE, (), NOW - 7200, 1,
)  # fmt: skip


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def delivery(state: DeliveryState, **changes: object) -> Delivery:
    made = Delivery(
        id=1, inbox=INBOX.id, conversation=Number(12), source=EventId("$s"),
        requested_by=EventId("$o"),
        agent=ALICE, state=state, subject="Re: Dark display", run_at=NOW + 10, created_at=NOW,
        finished_at=NOW + 11,
        recipients=(Recipient(CARLA, "to"), Recipient(Address("boss@x.example"), "cc")),
    )  # fmt: skip
    return replace(made, **changes)


def lost(status: RecipientStatus, reply: str) -> tuple[Recipient, ...]:
    return (
        Recipient(CARLA, "to", status, reply),
        Recipient(Address("boss@x.example"), "cc", RecipientStatus.SENT),
    )


def test_statuses() -> None:
    kinds = {
        "asking": (delivery(DeliveryState.ASKING), "It answers bob@x.example. Send?"),
        "waiting": (delivery(DeliveryState.WAITING), ""),
        "waiting, edited": (delivery(DeliveryState.WAITING, detail="as edited"), ""),
        "sending": (delivery(DeliveryState.SENDING), ""),
        "deferred": (delivery(DeliveryState.DEFERRED, detail="451 4.3.0 come again"), ""),
        "unknown": (delivery(DeliveryState.UNKNOWN), ""),
        "sent": (delivery(DeliveryState.SENT), ""),
        "sent, not to all": (
            delivery(DeliveryState.SENT, recipients=lost(RecipientStatus.FAILED, "550")),
            "",
        ),
        "sent, delayed": (
            delivery(DeliveryState.SENT, recipients=lost(RecipientStatus.DELAYED, "busy")),
            "",
        ),
        "sent, read": (delivery(DeliveryState.SENT, recipients=lost(RecipientStatus.READ, "")), ""),
        "forwarded": (
            delivery(DeliveryState.SENT, form=Form.FORWARD, letters=(MailId(1), MailId(2))),
            "",
        ),
        "approved": (delivery(DeliveryState.SENT, approved_by=BOB), ""),
        "automatic": (delivery(DeliveryState.SENT, form=Form.AUTOMATIC), ""),
        "bounced": (
            delivery(DeliveryState.BOUNCED, recipients=lost(RecipientStatus.BOUNCED, "550")),
            "",
        ),
        "failed": (delivery(DeliveryState.FAILED, detail="550 5.7.1 refused"), ""),
        "cancelled": (delivery(DeliveryState.CANCELLED, detail="stopped by @alice:acme"), ""),
    }
    lines = [f"{name}: {status.text(each, asked, NOW)}" for name, (each, asked) in kinds.items()]
    lines.append(f"told: {status.bounce_notice(kinds['bounced'][0])}")
    golden.check("texts.txt", "statuses", "\n".join(lines))


def test_drafts() -> None:
    mail = compose.Outgoing(
        MessageId("<d@acme>"),
        Address("support@acme.example", "Alice from Support"),
        (CARLA,),
        (),
        "Re: Dark display",
        NOW,
        "Dear Carla,\n\npress the button.",
        "",
        Letterhead(signature=fill("Acme Support", {})),
        files=(compose.File("manual.pdf", "application/pdf", b"x" * 12_000),),
    )
    one, two = delivery(DeliveryState.DRAFT), delivery(DeliveryState.APPROVING)
    shown = [
        draft.preview(one, mail, draft.ask(one, "none"), "", "https://x.example/draft/1"),
        draft.preview(one, mail, draft.ask(one, "none"), "boss@x.example is new. Send?", ""),
        draft.preview(two, mail, draft.ask(two, "four-eyes"), "", ""),
        draft.preview(two, mail, draft.ask(two, "leads"), "", ""),
        draft.problem(delivery(DeliveryState.DRAFT), "manual.pdf is over the limit of 25 MB."),
    ]
    golden.check("texts.txt", "drafts", "\n\n".join(each["body"] for each in shown))


def test_cards() -> None:
    kinds = [
        ABOUT,
        replace(ABOUT, assignee=ALICE, tags=("billing", "vip"), priority=Priority.HIGH),
        replace(ABOUT, claim=Number(7)),
        replace(ABOUT, follows=Number(3), priority=Priority.LOW),
        replace(ABOUT, state=State.ANSWERED, assignee=ALICE),
        replace(ABOUT, state=State.CLOSED),
        replace(ABOUT, state=State.SNOOZED, snoozed_until=NOW + 90_000, assignee=BOB),
        replace(ABOUT, state=State.SPAM),
        replace(ABOUT, state=State.CLOSED, merged=Number(7)),
        replace(ABOUT, subject="", preview="", files=""),
    ]
    golden.check(
        "texts.txt", "cards", "\n\n".join(render.card(each, "acme")["body"] for each in kinds)
    )


def test_lists() -> None:
    many = [
        replace(
            ABOUT, number=Number(n), assignee=(None, ALICE)[n % 2], state=list(State)[n % 5],
            snoozed_until=NOW + 90_000,
        )
        for n in range(1, 6)
    ]  # fmt: skip
    passage = Passage(Number(12), MailId(1), None, "Carla C. <carla@x.example>", NOW - 90_000, "")
    parts = [
        listing.summary(0, 0, [], INBOX, "acme", NOW),
        listing.summary(1, 0, many[:1], INBOX, "acme", NOW),
        listing.summary(9, 2, many, INBOX, "acme", NOW),
        listing.conversations("Support, tag:vip", [], 0, "acme", NOW),
        listing.conversations("Support, open", many, 7, "acme", NOW),
        listing.found("dark display", [(ABOUT, EventId("$e"), passage, "… my display …")], 22,
                      "acme", NOW),
    ]  # fmt: skip
    body = "\n\n".join(each["body"] for each in parts)
    info = render.info(
        replace(ABOUT, assignee=ALICE, department="Accounts"), INBOX, LETTER,
        ["To: carla@x.example"], NOW,
    )  # fmt: skip
    counted = report.Counted("Support", [], [], [], [])
    stats = report.stats("Support", 3, 1, counted, counted, [f"{ALICE}: 2 open, 5 answered · away"])
    golden.check("texts.txt", "lists", f"{body}\n\n{info}\n\n{stats}")
