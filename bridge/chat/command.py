"""Parse commands, reactions and relations from the content of Matrix events."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from bridge.chat.content import object_at, storable
from bridge.mail.address import bare
from bridge.model import Address, Content, EventId


@dataclass(frozen=True, slots=True)
class Command:
    """`!name rest` as it was typed; `rest` keeps its line breaks."""

    name: str
    rest: str


HAND, MAIL, CLIP, PERSON, LINK, CROSS, TICK, AGAIN = "✋", "📧", "📎", "👤", "🔗", "❌", "✅", "🔁"
SKIN_TONES_AND_VARIANTS = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")


def emoji(key: str) -> str:
    """A reaction's key without variation selectors and skin tones, which differ by client."""
    return SKIN_TONES_AND_VARIANTS.sub("", key)


def new_text(content: Content) -> str:
    """A message's own text without the reply fallback; empty if it is not a text message."""
    if content.get("msgtype") != "m.text":
        return ""
    body = content.get("body")
    if not isinstance(body, str):
        return ""
    reply = relation(content).get("m.in_reply_to")
    if reply is not None and body.startswith(("> <@", "> * <@")):
        # Client-Server API v1.12 and older: quoted lines, then one empty line
        lines = body.split("\n")
        while lines and lines[0].startswith(">"):
            lines.pop(0)
        body = "\n".join(lines).removeprefix("\n")
    return body


def parse(content: Content, prefix: str) -> Command | None:
    """The command a message begins with; None for other messages and for edits."""
    if edited(content) is not None:
        return None
    return parse_text(new_text(content), prefix)


def parse_text(text: str, prefix: str) -> Command | None:
    """The command `text` begins with, its name in lower case; None if there is none."""
    if not text.startswith(prefix):
        return None
    match = re.match(r"([a-zA-Z]+)(?:[ \t\n]+|$)", text[len(prefix) :])
    if match is None:
        return None
    return Command(match[1].lower(), text[len(prefix) + match.end() :].strip())


def named(text: str, prefix: str, words: Collection[str]) -> str:
    """Replace `!` by the configured prefix before command names in a text of the bridge.
    `words` are the command names; other words after a `!` are left alone."""
    if prefix == "!":
        return text
    known = "|".join(map(re.escape, words))
    return re.sub(rf"(?<![^\s(])!(?=(?:{known})\b)", lambda _: prefix, text)


def addressed(rest: str) -> tuple[list[Address], str]:
    """The addresses at the start of a command's text, and the text after them, as typed."""
    found: list[Address] = []
    while True:
        word = rest.split(maxsplit=1)[0] if rest.strip() else ""
        address = bare(word.strip(",;")) if "@" in word else None
        if address is None:
            return found, rest
        if address.key not in {each.key for each in found}:
            found.append(address)
        rest = rest.lstrip()[len(word) :].lstrip(" \t")


def forwarded(rest: str) -> tuple[bool, list[Address], str]:
    """(whether to forward all mails, recipients, text above the mails) of a `!forward`."""
    first, _, behind = rest.partition(" ")
    takes_all = first.casefold() == "all"
    return takes_all, *addressed(behind if takes_all else rest)


def body_of(said: Command) -> str:
    """The part of a command that is sent as mail: all of it, or the text after its addresses."""
    match said.name:
        case "forward":
            return forwarded(said.rest)[2].strip()
        case "compose":
            return said.rest.partition("\n")[2].strip()
        case _:
            return said.rest


def event_id(value: Any) -> EventId | None:
    """An event id as a client wrote it; None if it is not a valid event id."""
    fits = isinstance(value, str) and 0 < len(value) <= 255 and storable(value)
    return EventId(value) if fits else None


def relation(content: Content) -> dict[str, Any]:
    return object_at(content, "m.relates_to")


def replied_to(content: Content) -> EventId | None:
    """The event a message replies to; None for the reply fallback of a thread."""
    relates = relation(content)
    if relates.get("is_falling_back") is True:
        return None
    return event_id(object_at(relates, "m.in_reply_to").get("event_id"))


def mentioned(content: Content) -> list[str]:
    """The Matrix ids a message mentions (Client-Server API v1.14 §11.36)."""
    users = object_at(content, "m.mentions").get("user_ids")
    return [each for each in users if isinstance(each, str)] if isinstance(users, list) else []


def edited(content: Content) -> EventId | None:
    """The event a message edits."""
    relates = relation(content)
    return event_id(relates.get("event_id")) if relates.get("rel_type") == "m.replace" else None


def reaction(content: Content) -> tuple[EventId, str] | None:
    """(event, emoji) of an m.reaction's content."""
    relates = relation(content)
    event, key = event_id(relates.get("event_id")), relates.get("key")
    if relates.get("rel_type") != "m.annotation" or event is None or not isinstance(key, str):
        return None
    return event, emoji(key)


def latest(event: Content) -> Content | None:
    """The content of an event after its author's last edit; None if it was redacted.

    `event` is the answer of GET /event: it has the original content and bundles the newest edit,
    which may be by another user.
    """
    content = object_at(event, "content")
    unsigned = object_at(event, "unsigned")
    if not content or unsigned.get("redacted_because"):
        return None
    edit = object_at(unsigned, "m.relations", "m.replace")
    if edit and edit.get("sender") == event.get("sender"):
        changed = object_at(edit, "content", "m.new_content")
        if changed:
            # edits do not change the relation of the original message
            return {**changed, "m.relates_to": relation(content)}
    return dict(content)


def is_file(content: Content) -> bool:
    return content.get("msgtype") in ("m.file", "m.image", "m.audio", "m.video")
