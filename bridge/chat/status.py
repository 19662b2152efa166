"""Texts about deliveries: the status message, the emoji of each state, and bounce notices."""

from __future__ import annotations

import math

from bridge.chat.render import clock
from bridge.model import Delivery, DeliveryState, Form, Recipient, RecipientStatus

SIGNS = {
    DeliveryState.DRAFT: "📝",
    DeliveryState.APPROVING: "🔏",
    DeliveryState.ASKING: "❔",
    DeliveryState.WAITING: "🕐",
    DeliveryState.SENDING: "🕐",
    DeliveryState.DEFERRED: "⏳",
    DeliveryState.UNKNOWN: "❓",
    DeliveryState.SENT: "✅",
    DeliveryState.BOUNCED: "↩️",
    DeliveryState.FAILED: "❌",
    DeliveryState.CANCELLED: "🚫",
}


def by_field(delivery: Delivery) -> list[tuple[str, str]]:
    """`("cc", "bob@example.com, dan@example.com")` for each field that has recipients."""
    parts = []
    for field in ("to", "cc", "bcc"):
        named = [r.address.spec for r in delivery.recipients if r.field == field]
        more = f" and {len(named) - 20} more" if len(named) > 20 else ""
        if named:
            parts.append((field, ", ".join(named[:20]) + more))
    return parts


def whom(delivery: Delivery) -> str:
    """`alice@example.com, cc bob@example.com`."""
    return ", ".join(
        specs if field == "to" else f"{field} {specs}" for field, specs in by_field(delivery)
    )


def text(delivery: Delivery, question: str, now: float) -> str:
    """The status of a delivery as text for agents."""
    who = whom(delivery)
    match delivery.state:
        case DeliveryState.ASKING:
            return f"❔ {question} → {who} · ✅ sends · ❌ discards (!yes, !no)"
        case DeliveryState.DRAFT:
            return f"📝 draft · ✅ sends it · ❌ discards it (!yes, !no) → {who}"
        case DeliveryState.APPROVING:
            return f"🔏 waits for somebody's ✅ · ❌ discards it (!yes, !no) → {who}"
        case DeliveryState.WAITING:
            wait = math.ceil(delivery.run_at - delivery.created_at)
            note = f" · {delivery.detail}" if delivery.detail else ""
            note = _notes(delivery) + note
            if delivery.planned_for:  # the note says when
                return f"→ {who}{note} · ❌ stops it (!undo)"
            stops = f" · in {wait} s · ❌ stops it (!undo)" if wait > 0 else ""
            return f"→ {who}{stops}{note}"
        case DeliveryState.SENDING:
            says = "" if delivery.planned_for else delivery.detail
            return f"→ {who} · {says or 'sending …'}"
        case DeliveryState.DEFERRED:
            next_try = clock(delivery.run_at, now)
            stops = " · ❌ stops it (!undo)" if delivery.waits_for_server else ""
            return f"⏳ deferred ({delivery.detail}), next try {next_try}{stops} → {who}"
        case DeliveryState.UNKNOWN:
            asks = "🔁 sends again · ✅ it arrived (!retry, !yes)"
            return f"❓ the server did not confirm · {asks} → {who}"
        case DeliveryState.SENT:
            when = clock(delivery.finished_at or now, now)
            return f"✅ sent {when} → {who}{_notes(delivery)}{_exceptions(delivery)}"
        case DeliveryState.BOUNCED:
            lost = _named(delivery, RecipientStatus.BOUNCED)
            return f"↩️ bounced: {lost} · 🔁 sends again (!retry) → {who}{_exceptions(delivery)}"
        case DeliveryState.FAILED:
            return f"❌ failed: {delivery.detail} · 🔁 tries again (!retry) → {who}"
        case _:
            return f"🚫 {delivery.detail or 'stopped'}, nothing was sent → {who}"


def _notes(delivery: Delivery) -> str:
    """Notes that apply to the whole mail."""
    notes = " · automatic answer" if delivery.form is Form.AUTOMATIC else ""
    if delivery.letters:
        many = len(delivery.letters)
        notes += f" · forwards {'1 mail' if many == 1 else f'{many} mails'}"
    return notes + (f" · approved by {delivery.approved_by}" if delivery.approved_by else "")


def _exceptions(delivery: Delivery) -> str:
    """Notes on single recipients: refused, delayed, or mail read."""
    parts = ""
    for status, words in (
        (RecipientStatus.FAILED, "❌ not to"),
        (RecipientStatus.DELAYED, "⏳ delayed on its way to"),
        (RecipientStatus.READ, "👁 read by"),
    ):
        named = _named(delivery, status)
        parts += f" · {words} {named}" if named else ""
    return parts


def _named(delivery: Delivery, status: RecipientStatus) -> str:
    """The first five recipients with this status, each with the server's reply:
    `carla@customer.example (550 5.1.1 no such user), …`."""
    found: list[Recipient] = [each for each in delivery.recipients if each.status is status]
    named = [
        f"{each.address.spec} ({each.reply})" if each.reply else each.address.spec
        for each in found[:5]
    ]
    return ", ".join(named) + (f" and {len(found) - 5} more" if len(found) > 5 else "")


def bounce_notice(delivery: Delivery) -> str:
    """The notice to the agent whose mail bounced."""
    return (
        f"↩️ {delivery.agent}, your email did not reach {_named(delivery, RecipientStatus.BOUNCED)}."
    )
