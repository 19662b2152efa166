"""A page that shows a room's events as clients do: Element on a desk, Element X on a phone."""

from __future__ import annotations

import base64
import html
from typing import Any

from bridge.chat import initials
from bridge.model import Address
from tests.clients import BLOCKS, INLINE, TAG
from tests.servers.matrix_state import MatrixState, Room

STYLE = """
*{box-sizing:border-box}
body{margin:0;background:#fff;color:#1b1d22;font:15px/22px Inter,system-ui,sans-serif}
header{position:sticky;top:0;background:#fff;border-bottom:1px solid #e1e6ec;padding:10px 20px}
header b{display:block;font-size:16px}header span{color:#656d77;font-size:13px}
main{padding:12px 20px;max-width:900px}.row{display:flex;gap:12px;margin:10px 0}
.face{flex:none;width:32px;height:32px;border-radius:50%}.body{min-width:0;overflow-wrap:anywhere}
.who{font-weight:600;color:#368bd6}.notice{color:#656d77}.state{color:#8d97a5;font-size:13px;padding-left:44px}
.reply{border-left:2px solid #c1c6cd;padding-left:8px;color:#8d97a5;font-size:13px;max-height:22px;
overflow:hidden;white-space:nowrap;text-overflow:ellipsis}
blockquote{border-left:2px solid #ddd;margin:4px 0;padding-left:12px;color:#555}p{margin:0 0 8px}
p:last-child{margin:0}ul,ol{margin:4px 0;padding-left:22px}a{color:#0467dd;text-decoration:none}
summary{cursor:pointer;color:#656d77}pre{background:#f4f6fa;padding:8px;overflow:auto}
.key{display:inline-block;border:1px solid #e1e6ec;border-radius:12px;padding:0 8px;
margin:4px 4px 0 0}
.file{border:1px solid #e1e6ec;border-radius:8px;padding:6px 12px;display:inline-block}
"""
CHANGED = {"m.room.topic": "changed the topic to", "m.room.name": "named the room"}


def page(server: MatrixState, room: Room, *, poor: bool) -> str:
    """The room from its first event on. `poor`: with the few tags that Element X keeps."""
    name = html.escape(str(value(room, "m.room.name", "name")))
    topic = html.escape(str(value(room, "m.room.topic", "topic")))
    shown = {event["event_id"]: event for event in server.messages(room)}
    rows = []
    for event in room.events:
        if event["event_id"] in shown:
            rows.append(_message(server, room, shown, shown[event["event_id"]], poor=poor))
        elif event["type"] in CHANGED or event["type"] == "m.room.member":
            rows.append(_state(event))
    return (
        f"<!DOCTYPE html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<style>{STYLE}</style><header><b>{name}</b><span>{topic}</span></header>"
        f"<main>{''.join(rows)}</main>"
    )


def value(room: Room, type: str, key: str) -> Any:
    return room.state.get((type, ""), {"content": {}})["content"].get(key, "")


def _name(room: Room, who: str) -> str:
    member = room.state.get(("m.room.member", who), {"content": {}})["content"]
    return str(member.get("displayname") or who[1:].partition(":")[0])


def _state(event: dict[str, Any]) -> str:
    who = event["sender"][1:].partition(":")[0].removeprefix("email_")
    content = event["content"]
    if event["type"] == "m.room.member":
        whom = str(content.get("displayname") or event["state_key"][1:].partition(":")[0])
        what = {"join": f"{whom} joined", "invite": f"{who} invited {whom}"}.get(
            content["membership"], f"{whom} left"
        )
    else:
        text = next((str(each) for each in content.values() if isinstance(each, str)), "")
        what = f"{who} {CHANGED[event['type']]} {text}"
    return f"<div class=state>{html.escape(what)}</div>"


def _message(
    server: MatrixState, room: Room, shown: dict[str, Any], event: dict[str, Any], *, poor: bool
) -> str:
    content, who = event["content"], _name(room, event["sender"])
    picture = initials.draw(initials.letters(Address(event["sender"], who)), initials.colour(who))
    face = base64.b64encode(picture).decode()
    target = content.get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id")
    above = ""
    if target in shown:
        first = str(shown[target]["content"].get("body", "")).split("\n")[0]
        above = f"<div class=reply>{html.escape(first)}</div>"
    keys: dict[str, int] = {}
    for _, key in server.reactions(room, event["event_id"]):
        keys[key] = keys.get(key, 0) + 1
    reactions = "".join(f"<span class=key>{key} {count}</span>" for key, count in keys.items())
    kind = " notice" if content.get("msgtype") == "m.notice" else ""
    return (
        f'<div class=row><img class=face src="data:image/png;base64,{face}"><div class=body>'
        f"<div class=who>{html.escape(who)}</div>{above}"
        f"<div class='text{kind}'>{_text(content, poor=poor)}</div>{reactions}</div></div>"
    )


def _text(content: dict[str, Any], *, poor: bool) -> str:
    if content.get("msgtype") in ("m.file", "m.image"):
        sign = "🖼" if content["msgtype"] == "m.image" else "📎"
        return f"<div class=file>{sign} {html.escape(content['body'])}</div>"
    formatted = content.get("formatted_body")
    if not formatted:
        return html.escape(str(content.get("body", ""))).replace("\n", "<br>")
    if not poor:
        return str(formatted)
    keep = INLINE | BLOCKS
    return TAG.sub(lambda each: each[0] if each[1].lower() in keep else "", str(formatted))
