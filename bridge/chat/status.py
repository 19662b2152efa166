"""Texts about deliveries: the one status message of each, its sign, and refusals."""

from __future__ import annotations

import math

from bridge.chat.render import clock
from bridge.model import Delivery, DeliveryState, Fate, Recipient

SIGNS = {
    DeliveryState.ASKING: "❔",
    DeliveryState.WAITING: "🕐",
    DeliveryState.SENDING: "🕐",
    DeliveryState.DEFERRED: "⏳",
    DeliveryState.UNKNOWN: "❓",
    DeliveryState.SENT: "✅",
    DeliveryState.FAILED: "❌",
    DeliveryState.CANCELLED: "🚫",
}


def whom(delivery: Delivery) -> str:
    """`alice@example.com, cc bob@example.com`."""
    parts = []
    for field in ("to", "cc", "bcc"):
        named = [r.address.spec for r in delivery.recipients if r.field == field]
        more = f" and {len(named) - 20} more" if len(named) > 20 else ""
        specs = ", ".join(named[:20]) + more
        if specs:
            parts.append(specs if field == "to" else f"{field} {specs}")
    return ", ".join(parts)


def text(delivery: Delivery, question: str, now: float) -> str:
    """The status of a delivery as an agent reads it."""
    who = whom(delivery)
    match delivery.state:
        case DeliveryState.ASKING:
            return f"❔ {question} → {who} · ✅ sends · ❌ discards"
        case DeliveryState.WAITING:
            wait = math.ceil(delivery.run_at - delivery.created_at)
            note = f" · {delivery.detail}" if delivery.detail else ""
            return f"→ {who} · in {wait} s · ❌ stops it{note}" if wait > 0 else f"→ {who}{note}"
        case DeliveryState.SENDING:
            return f"→ {who} · {delivery.detail or 'sending …'}"
        case DeliveryState.DEFERRED:
            next_try = clock(delivery.run_at, now)
            return f"⏳ deferred ({delivery.detail}), next try {next_try} → {who}"
        case DeliveryState.UNKNOWN:
            return f"❓ the server did not confirm · 🔁 sends again · ✅ it arrived → {who}"
        case DeliveryState.SENT:
            when = clock(delivery.finished_at or now, now)
            return f"✅ sent {when} → {who}{_exceptions(delivery)}"
        case DeliveryState.FAILED:
            return f"❌ failed: {delivery.detail} · 🔁 tries again → {who}"
        case _:
            return f"🚫 {delivery.detail or 'stopped'}, nothing was sent → {who}"


def _exceptions(delivery: Delivery) -> str:
    lost: list[Recipient] = [r for r in delivery.recipients if r.fate is Fate.FAILED]
    if not lost:
        return ""
    return " · ❌ not to " + ", ".join(f"{r.address.spec} ({r.reply})" for r in lost)
