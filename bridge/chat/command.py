"""Parse commands, reactions and relations from the content of Matrix events."""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from bridge.chat.content import object_at, storable
from bridge.mail import mentions
from bridge.mail.address import bare
from bridge.model import Address, Content, EventId, Mxid


@dataclass(frozen=True, slots=True)
class Command:
    """`!name rest` as it was typed; `rest` keeps its line breaks."""

    name: str
    rest: str


HAND, MAIL, CLIP, PERSON, LINK, CROSS, TICK, AGAIN = "✋", "📧", "📎", "👤", "🔗", "❌", "✅", "🔁"
WORD = re.compile(r"[^\W\d_][^\s\u200b-\u200f\u2060\ufeff]*")
"""The word of a command, with whatever is typed close to it."""
WIDE = ("\uff01",)
"""How the prefix ! comes from keyboards of East Asia."""
BLANKS = " \t\n\r\f\v\x85\xa0\xad\u1680\u180e\u2028\u2029\u202f\u205f\u2060\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x2010))
)
"""White space, and characters that nobody sees: some clients and phones add them."""
PILL = re.compile(r'<a href="([^"]{1,700})">([^<]{0,200})</a>')
"""A mention in a formatted_body."""
SKIN_TONES_AND_VARIANTS = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")


def emoji(key: str) -> str:
    """A reaction's key without variation selectors and skin tones, which differ by client."""
    return SKIN_TONES_AND_VARIANTS.sub("", key)


def new_text(content: Content) -> str:
    """The text of a message, or the caption of a file (Client-Server API v1.10, media captions),
    without the reply fallback; empty for other messages."""
    body = content.get("body")
    if content.get("msgtype") != "m.text" and not is_file(content):
        return ""
    if not isinstance(body, str) or (is_file(content) and content.get("filename") in (None, body)):
        return ""
    reply = relation(content).get("m.in_reply_to")
    if reply is not None and body.startswith(("> <@", "> * <@")):
        # Client-Server API v1.12 and older: quoted lines, then one empty line
        lines = body.split("\n")
        while lines and lines[0].startswith(">"):
            lines.pop(0)
        body = "\n".join(lines).removeprefix("\n")
    return body


@dataclass(frozen=True, slots=True)
class CommandReader:
    """Reads commands as people type them, with the prefix of this installation."""

    prefix: str
    words: Collection[str]
    """The first word of every command."""

    def of(self, content: Content) -> Command | None:
        """The command a message begins with; None for other messages and for edits."""
        return None if edited(content) is not None else self.of_text(new_text(content))

    def may_begin(self, content: Content) -> bool:
        """Whether a message begins with the prefix, or is a command however it is typed."""
        text = new_text(content)
        behind = self._behind_prefix(text)
        return behind is not None and (behind[0] or self.of_text(text) is not None)

    def of_text(self, text: str) -> Command | None:
        """The command that `text` begins with, its name in lower case; None if there is none.

        Blanks and invisible characters around the word, and a colon after it, count for nothing.
        With a blank behind the prefix, or with / in its place, only the words of commands count:
        the rest is talk.
        """
        behind = self._behind_prefix(text)
        if behind is None:
            return None
        is_strict, rest = behind
        word = WORD.match(rest)
        if word is None:
            return None
        name = word[0].lower()
        if not is_strict and name.rstrip(":：") not in self.words:
            return None
        if name[-1] in ":：" and len(name) > 1:
            name = name[:-1]
        return Command(name, rest[word.end() :].strip(BLANKS))

    def _behind_prefix(self, text: str) -> tuple[bool, str] | None:
        """(whether the prefix stands at the word as it should, the text behind it); None for text
        without it."""
        text = text.lstrip(BLANKS)
        for sign in (self.prefix, *(WIDE if self.prefix == "!" else ())):
            if text.startswith(sign):
                behind = text[len(sign) :]
                return behind == behind.lstrip(BLANKS), behind.lstrip(BLANKS)
        return (False, text[1:]) if text.startswith("/") else None


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
        case "compose" | "later":
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


def with_ids(content: Content, text: str) -> str:
    """A part of a message's text with each mention replaced by the person's Matrix id. Clients
    write a mention as a Markdown link, or as a name that only formatted_body links."""
    text = mentions.IN_MARKDOWN.sub(lambda match: mentions.target_of(match), text)
    formatted = content.get("formatted_body")
    for href, name in PILL.findall(formatted) if isinstance(formatted, str) else ():
        mxid = mentions.target(html.unescape(href))
        text = text.replace(html.unescape(name), mxid, 1) if name and mxid else text
    return text


def named_users(content: Content) -> list[Mxid]:
    """The users whose ids stand in a message, as mentions; at most 50."""
    written = [content.get("body"), content.get("formatted_body")]
    text = html.unescape("\n".join(each for each in written if isinstance(each, str)))
    ids = [*mentions.mentioned_ids(text), *(each for each in mentioned(content) if each in text)]
    fit = (each for each in dict.fromkeys(ids) if storable(each) and len(each) <= 255)
    return [Mxid(each) for each in fit if mentions.ID.fullmatch(each)][:50]


def edited(content: Content) -> EventId | None:
    """The event a message edits."""
    relates = relation(content)
    return event_id(relates.get("event_id")) if relates.get("rel_type") == "m.replace" else None


def edited_text(content: Content) -> str:
    """The new text of an edit; empty for other messages."""
    changed = content.get("m.new_content")
    return new_text(changed) if isinstance(changed, dict) else ""


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
