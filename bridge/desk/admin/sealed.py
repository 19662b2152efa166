"""Protects passwords in the control room: messages are stored encrypted, those with a password are
redacted, and answers do not repeat it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import replace

from bridge.chat import command
from bridge.config import inbox_form
from bridge.desk.desk import Desk
from bridge.model import CONTROL, Event, EventId, Kind, Place, PostKey, Shows, Wanted
from bridge.ports import Tx

SEALED = "app.postroom.sealed"
"""The key in a stored event's content under which its encrypted content is stored."""
SPEAKS = re.compile(
    r"passw|\bpas+(?:word|wd|w|code|phrase)?\b|\.pas|\bpwd?\b|kennwort|contraseña|mot de passe"
    r"|\bsecret\b|wachtwoord|has[lł]o\b|пароль|パスワード|密码"
)
"""Matches messages that mention a password, also mistyped a little or in another language."""
WORDS = frozenset(
    "inbox domain set add list show test publish pause resume remove key value lead all"  # noqa: SIM905 - names
    " help".split()
)
"""Words of commands and answers, which are never a password and stay in answers."""


COMMON = frozenset(
    (
        "a",
        "an",
        "and",
        "are",
        "be",
        "break",
        "for",
        "give",
        "in",
        "is",
        "it",
        "like",
        "line",
        "name",
        "no",
        "not",
        "of",
        "on",
        "or",
        "the",
        "there",
        "to",
        "with",
    )
)
"""Common words of our own texts, which stay in answers."""
HOLDS_SECRETS = ("inbox", "domain", "template")
"""Commands with which passwords are set, or may be by mistake."""
SPEAK_FREELY = ("help", "snippet", "rule")
"""Commands whose text may mention passwords without containing one, such as a snippet that tells
customers how to get a new one."""


def is_redirect(text: str) -> bool:
    """Whether a text holds the address on which a browser ended after a log-in; its code gets the
    tokens."""
    return any(
        re.search(r"(?:^|[?&#])state=", word) and re.search(r"(?:^|[?&#])(?:code|error)=", word)
        for word in text.split()
    )


def is_for(desk: Desk, event: Event) -> bool:
    """Whether a message, or an edit, in any room is an `inbox` command of the control room, or the
    address of a log-in that an admin said in the wrong room."""
    text = _text(event)
    said = desk.commands.of_text(text)
    if event.sender in desk.settings.admins and is_redirect(text):
        return True
    return said is not None and said.name in HOLDS_SECRETS


def _text(event: Event) -> str:
    """The text of a message; of an edit, the new text."""
    return command.edited_text(event.content) or command.new_text(event.content)


def seal(desk: Desk, event: Event) -> Event:
    """The event with its content encrypted, as it is stored: it may contain a password."""
    token = desk.directory.vault.seal(json.dumps(event.content))
    relation = command.relation(event.content)
    return replace(event, content={SEALED: token, "m.relates_to": relation})


def unseal(desk: Desk, event: Event) -> Event:
    token = event.content.get(SEALED)
    if not isinstance(token, str):
        return event
    return replace(event, content=json.loads(desk.directory.vault.open(token)))


def may_hold_secret(desk: Desk, event: Event, said: command.Command | None, asked: bool) -> bool:
    """Whether a message, or an edit, may contain a password: it mentions one, sets a key that may
    be a misspelt password key, or is no command while somebody is `asked` for a password."""
    text = _text(event)
    if is_redirect(text):
        return True
    words = said.rest.casefold().split() if said is not None else []
    if said is not None and said.name == "template":  # a key of a server, in place of a kind
        return words[:1] == ["set"] and len(words) > 2 and "." in words[2]
    if SPEAKS.search(text.casefold()):
        return said is None or said.name not in SPEAK_FREELY
    if said is None:
        said = desk.commands.of_text(text)
        if asked or said is None:
            return asked
    words = said.rest.casefold().split()
    if said.name not in HOLDS_SECRETS or not words:
        return False
    if words[0] == "add":
        return len(words) > 2
    return words[0] == "set" and len(words) > 2 and inbox_form.may_be_secret(words[2])


def mask_secrets(answer: str, said: str) -> str:
    """The answer with each word of `said` that may be a password replaced by `…`."""
    for word in said.split():
        plain = re.sub(r"^\W+", "", word.casefold())
        if plain and plain not in WORDS and not inbox_form.near(plain):
            answer = re.sub(rf"(?<![\w.]){re.escape(word)}(?!\w)", "…", answer)
    return answer


def mask_all(answer: str, said: str, known: Collection[str] = ()) -> str:
    """The answer with each word of `said` replaced by `…`, except common words, `known` names and
    dotted keys: a password may be any word, even of a command, but hardly `imap.poll`."""
    dotted = {key for key in inbox_form.KEYS if "." in key}
    for word in sorted(set(said.split()) - COMMON - dotted - set(known), key=len, reverse=True):
        answer = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "…", answer)
    return answer


async def redact_secret(tx: Tx, desk: Desk, event: Event) -> None:
    """Redact a message with a password, in any room, and delete its stored content."""
    await tx.events.blank(event.id)
    await redact(tx, desk, PostKey.other(Shows.WIPE, event.id), event.id, Place.at(event.room))


async def redact(
    tx: Tx, desk: Desk, key: PostKey, target: EventId | PostKey, place: Place = CONTROL
) -> None:
    """Redact an event, or the event of another post; in a lane of its own, so without waiting."""
    wanted = Wanted(key, place, desk.bot, Kind.REDACTION, {}, "m.room.redaction", target=target)
    await tx.posts.put(replace(wanted, lane=key.text))
