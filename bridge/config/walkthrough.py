"""The questions of `!inbox add`, asked one at a time until the inbox is complete. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.config.inbox_form import RESET, Values
from bridge.config.section import MXID
from bridge.mail import provider
from bridge.model import Refused

YES = ("ok", "yes", "y", "ja", "oui")


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the admin about one key."""

    key: str
    text: str
    suggestion: str = ""
    """The value used if the admin answers `ok`."""


@dataclass(frozen=True, slots=True)
class Step:
    """One key that an inbox needs: its question, and how the answer is stored."""

    key: str
    ask: Callable[[Values, Mapping[str, str]], Question | None]
    """The question, given the values and the encrypted secrets; None if it is answered already."""
    take: Callable[[Values, str], Values]
    """The values with the answer. Raises Refused with the fault if it has to be asked again."""


def next_question(values: Mapping[str, Any], secrets: Mapping[str, str]) -> Question | None:
    """The first question about a draft inbox that is not answered; None if it is complete."""
    questions = (step.ask(dict(values), secrets) for step in STEPS)
    return next((question for question in questions if question is not None), None)


def answer(values: Mapping[str, Any], question: Question, text: str) -> Values:
    """The values with the answer to a question. Raises Refused with the fault if it has to be asked
    again. A password is not stored among the values, and is not checked here."""
    text = (question.suggestion or text) if text.casefold() in YES else text
    (step,) = (step for step in STEPS if step.key == question.key)
    return step.take(copy.deepcopy(dict(values)), text)


def _ask_address(values: Values, secrets: Mapping[str, str]) -> Question | None:
    if values.get("address"):
        return None
    return Question("address", "Which address is it? Like support@example.com.")


def with_address(values: Values, text: str) -> Values:
    """The values with the address, and with the server settings of its provider if known."""
    if re.fullmatch(r"[^@\s<>]+@[^@\s<>.]+(\.[^@\s<>.]+)+", text) is None:
        raise Refused(
            f"{text[:100]} is not a valid email address; write it like support@example.com."
        )
    changed = {**values, "address": text}
    known = provider.of_domain(text.rpartition("@")[2])
    if known is not None and not changed.get("imap"):
        changed |= known.settings()
    return changed


def _ask_imap(values: Values, secrets: Mapping[str, str]) -> Question | None:
    if _imap(values).get("host"):
        return None
    names = ", ".join(each.key for each in provider.PROVIDERS)
    text = f"Where is the mailbox? A provider ({names}) or its IMAP server's name,"
    return Question("imap.host", f"{text} like imap.example.com or imap.example.com:143.")


def _take_imap(values: Values, text: str) -> Values:
    known = provider.named(text)
    if known is not None:
        return values | known.settings()
    return values | {"imap": {**_imap(values), **_server(text, {143: "starttls"})}}


def _ask_password(values: Values, secrets: Mapping[str, str]) -> Question | None:
    if "imap.password" in secrets:
        return None
    imap = _imap(values)
    known = provider.of_host(imap["host"])
    app = ""
    if known is not None and not known.takes_passwords:
        app = f" {known.label} may refuse it: it takes no passwords of programs any more."
    elif known is not None:
        app = f" {known.label} wants an app password: {known.app_passwords}"
    user = imap.get("user") or values["address"]
    text = f"What is the password of {user} at {imap['host']}?{app}"
    return Question("imap.password", f"{text} Your message is redacted at once.")


def _ask_smtp(values: Values, secrets: Mapping[str, str]) -> Question | None:
    if values.get("smtp") is not None:
        return None
    guess = re.sub(r"^imap\b", "smtp", _imap(values)["host"])
    text = f"Which server sends its mail? ok for {guess}, or another name;"
    return Question(
        "smtp.host",
        f"{text} local for a relay on this machine without log-in, none to only receive.",
        guess,
    )


def _take_smtp(values: Values, text: str) -> Values:
    if text.casefold() == "none":
        return values | {"smtp": {}}
    server: Values = {"host": "127.0.0.1", "tls": "none", "auth": "none"}
    if text.casefold() != "local":
        server = _server(text, {587: "starttls", 25: "starttls"})
    return values | {"smtp": {**(values.get("smtp") or {}), **server}}


def _ask_agents(values: Values, secrets: Mapping[str, str]) -> Question | None:
    if "agents" in values:
        return None
    text = "Who answers this mail? Matrix ids like @bob:example.com, with spaces between;"
    return Question("agents", f"{text} - for nobody yet.")


def _take_agents(values: Values, text: str) -> Values:
    words = [] if text == RESET else [word for word in re.split(r"[\s,;]+", text) if word]
    for word in words:
        if MXID.fullmatch(word) is None:
            raise Refused(f"{word[:100]} is not a Matrix ID; write it like @bob:example.com.")
    return values | {"agents": words}


def _imap(values: Values) -> Values:
    return dict(values.get("imap") or {})


def _server(text: str, by_port: Mapping[int, str]) -> Values:
    """Keys from `host` or `host:port`; `by_port` gives the TLS mode of well-known ports."""
    match = re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::(\d{1,5}))?", text)
    if match is None or (match[2] and not 0 < int(match[2]) < 65536):
        raise Refused(f"{text[:100]} is not a server name; write it like mail.example.com.")
    keys: Values = {"host": match[1].strip("[]")}
    if match[2]:
        keys["port"] = int(match[2])
        keys["tls"] = by_port.get(int(match[2]), "implicit")
    return keys


STEPS = (
    Step("address", _ask_address, with_address),
    Step("imap.host", _ask_imap, _take_imap),
    Step("imap.password", _ask_password, lambda values, _: values),
    Step("smtp.host", _ask_smtp, _take_smtp),
    Step("agents", _ask_agents, _take_agents),
)
"""Steps in the order in which they are asked."""
