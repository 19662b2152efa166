"""The questions of `!inbox add`, in order: what each asks, and how its answer is kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from bridge.config.inbox_form import RESET, Values
from bridge.config.section import MXID
from bridge.config.server import LOOPBACK, Http
from bridge.config.step import Draft, Question, Step
from bridge.mail import provider
from bridge.model import Refused

FORWARD = "forward"
WITHOUT_LINK = "password"
HTTP_KINDS: tuple[str, ...] = get_args(Http.model_fields["kind"].annotation)
IMAP_PORTS = {143: "starttls", 993: "implicit"}
SMTP_PORTS = {587: "starttls", 25: "starttls", 465: "implicit"}
"""Ports that tell how a connection is encrypted."""


def _ask_address(draft: Draft) -> Question | None:
    if draft.values.get("address"):
        return None
    return Question(
        "address", "Which address is it? Like support@example.com.",
        "The shared address that customers write to, not the address of one person.",
    )  # fmt: skip


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


def _ask_imap(draft: Draft) -> Question | None:
    if _imap(draft.values).get("host") or draft.values.get("http"):
        return None
    if draft.values.get("imap") == {}:  # its mail is forwarded to us
        return None
    names = ", ".join(each.key for each in provider.PROVIDERS)
    text = f"Where is the mailbox? A provider ({names}) or its IMAP server's name,"
    return Question(
        "imap.host",
        f"{text} like imap.example.com or imap.example.com:143.\nIf its mail is brought here, say"
        f" {FORWARD}, {', '.join(HTTP_KINDS)}.",
        "The server that keeps the mail of this address: your provider's help calls it the IMAP or"
        " incoming server. Without a port it is 993, encrypted. Where Mailgun or another takes the"
        " mail and posts it here, say its name; relay stands for a script of yours.",
    )  # fmt: skip


def _take_imap(values: Values, text: str) -> Values:
    if text.casefold() in HTTP_KINDS:
        return values | {"http": {"kind": text.casefold()}}
    if text.casefold() == FORWARD:
        return values | {"imap": {}}
    known = provider.named(text)
    if known is not None:
        return values | known.settings()
    return values | {"imap": {**_imap(values), **_server(text, IMAP_PORTS)}}


def _ask_tls(kind: str, ports: Mapping[int, str]) -> Callable[..., Question | None]:
    """The question for the encryption of a server whose port does not tell it."""

    def ask(draft: Draft) -> Question | None:
        server = dict(draft.values.get(kind) or {})
        if not server.get("host") or "tls" in server or server.get("port", 0) in (0, *ports):
            return None
        return Question(
            f"{kind}.tls",
            f"How is port {server['port']} of {server['host']} encrypted: implicit, starttls or"
            " none?",
            "implicit: from the first byte on, as on port 993 and 465. starttls: after a first"
            " command, as on 143 and 587. none: only for a server on this machine.",
        )

    return ask


def _take_tls(kind: str) -> Callable[[Values, str], Values]:
    def take(values: Values, text: str) -> Values:
        server, mode = dict(values[kind]), text.casefold()
        if mode not in ("implicit", "starttls", "none"):
            raise Refused("Say implicit, starttls or none.")
        if mode == "none" and server["host"] not in LOOPBACK:
            raise Refused(f"none would send the password to {server['host']} in the clear.")
        return values | {kind: {**server, "tls": mode}}

    return take


def _without(kind: str, key: str) -> Callable[[Values], Values]:
    def undo(values: Values) -> Values:
        server = {name: value for name, value in (values.get(kind) or {}).items() if name != key}
        return values | {kind: server} if kind in values else values

    return undo


def _ask_oauth(draft: Draft) -> Question | None:
    """Whether it logs in by OAuth2, where config.yaml has a client that fits the server."""
    imap = _imap(draft.values)
    if "host" not in imap or "oauth" in imap or "imap.password" in draft.secrets:
        return None
    known = provider.of_host(imap["host"])
    wanted = known.oauth if known is not None else "other"
    fitting = [name for name, kind in draft.oauth.items() if kind == wanted]
    if not fitting:
        return None
    return Question(
        "imap.oauth",
        f"How does it log in at {known.label if known else imap['host']}? ok for a link to its"
        f" own page ({', '.join(fitting)} of oauth in config.yaml), or password.",
        "With a link, the provider asks you on its own page, and no password is kept here. Once"
        " the questions are answered, !inbox login gives it.",
        fitting[0],
        (*fitting, WITHOUT_LINK),
    )


def _take_oauth(values: Values, text: str) -> Values:
    return values | {"imap": {**_imap(values), "oauth": "" if text == WITHOUT_LINK else text}}


def _ask_password(draft: Draft) -> Question | None:
    imap = _imap(draft.values)
    if "host" not in imap or "imap.password" in draft.secrets or imap.get("oauth"):
        return None
    known = provider.of_host(imap["host"])
    app = ""
    if known is not None and not known.takes_passwords:
        app = f" {known.label} may refuse it: it takes no passwords of programs any more."
    elif known is not None:
        app = f" {known.label} wants an app password: {known.app_passwords}"
    user = imap.get("user") or draft.values["address"]
    text = f"What is the password of {user} at {imap['host']}?{app}"
    more = "It is kept encrypted, and shown to nobody."
    if known is None:
        more += " With two-factor log-in the provider may want an app password, made for programs."
    return Question("imap.password", f"{text} Your message is redacted at once.", more)


def _ask_smtp(draft: Draft) -> Question | None:
    if draft.values.get("smtp") is not None:
        return None
    guess = re.sub(r"^imap\b", "smtp", _imap(draft.values).get("host", ""))
    text = f"Which server sends its mail?{f' ok for {guess}, or another name;' if guess else ''}"
    return Question(
        "smtp.host",
        f"{text} local for a relay on this machine without log-in, none to only receive.",
        "The SMTP or outgoing server. Answers leave through it, with the address as their sender."
        " Without a port it is 465, encrypted.",
        guess,
    )


def _take_smtp(values: Values, text: str) -> Values:
    if text.casefold() == "none":
        return values | {"smtp": {}}
    server: Values = {"host": "127.0.0.1", "tls": "none", "auth": "none"}
    if text.casefold() != "local":
        server = _server(text, SMTP_PORTS)
    return values | {"smtp": {**(values.get("smtp") or {}), **server}}


def _ask_smtp_password(draft: Draft) -> Question | None:
    smtp, imap = dict(draft.values.get("smtp") or {}), _imap(draft.values)
    host = smtp.get("host")
    if not host or smtp.get("auth") == "none" or "user" in smtp or imap.get("oauth"):
        return None
    if "smtp.password" in draft.secrets:
        return None
    if not imap.get("host"):
        return Question(
            "smtp.password",
            f"What is the password of {draft.values['address']} at {host}? Your message is redacted"
            " at once.",
            "It is kept encrypted, and shown to nobody. Where the user differs, too, say"
            " !inbox set … smtp.user afterwards.",
        )
    known = provider.of_host(host)
    if known is not None and known == provider.of_host(imap["host"]):  # one account for both
        return None
    user = imap.get("user") or draft.values["address"]
    return Question(
        "smtp.password",
        f"Does {host} take the same user ({user}) and password? ok for the same, or give its"
        " password; your message is redacted at once.",
        "Most providers have one password for both. Where the user differs, too, say ok here and"
        " !inbox set … smtp.user and smtp.password afterwards.",
        "same",
    )


def _take_smtp_password(values: Values, text: str) -> Values:
    """Note that user and password are those of the mailbox."""
    user = _imap(values).get("user") or values["address"]
    return values | {"smtp": {**values["smtp"], "user": user}}


def _ask_agents(draft: Draft) -> Question | None:
    if "agents" in draft.values:
        return None
    text = "Who answers this mail? Matrix ids like @bob:example.com, with spaces between;"
    return Question(
        "agents", f"{text} - for nobody yet.",
        "They are invited into the queue room of the inbox, see its mail and answer it. !agent add"
        " and !agent remove change that later.",
    )  # fmt: skip


def _take_agents(values: Values, text: str) -> Values:
    words = [] if text == RESET else [word for word in re.split(r"[\s,;]+", text) if word]
    for word in words:
        if MXID.fullmatch(word) is None:
            raise Refused(f"{word[:100]} is not a Matrix ID; write it like @bob:example.com.")
    return values | {"agents": words}


def _imap(values: Mapping[str, Any]) -> Values:
    return dict(values.get("imap") or {})


def _server(text: str, by_port: Mapping[int, str]) -> Values:
    """Keys from `host` or `host:port`; `by_port` gives the TLS mode of well-known ports."""
    match = re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::(\d{1,5}))?", text)
    if match is None or (match[2] and not 0 < int(match[2]) < 65536):
        raise Refused(f"{text[:100]} is not a server name; write it like mail.example.com.")
    keys: Values = {"host": match[1].strip("[]")}
    if match[2]:
        keys["port"] = int(match[2])
        if int(match[2]) in by_port:
            keys["tls"] = by_port[int(match[2])]
    return keys


def _unchanged(values: Values) -> Values:
    return values


STEPS = (
    Step("address", _ask_address, with_address),
    Step(
        "imap.host", _ask_imap, _take_imap,
        lambda values: {k: v for k, v in values.items() if k not in ("imap", "smtp", "http")},
        ("imap.password", "smtp.password"),
    ),
    Step("imap.tls", _ask_tls("imap", IMAP_PORTS), _take_tls("imap"), _without("imap", "tls")),
    Step("imap.oauth", _ask_oauth, _take_oauth, _without("imap", "oauth")),
    Step(
        "imap.password", _ask_password, lambda values, _: values, _unchanged, ("imap.password",)
    ),
    Step(
        "smtp.host", _ask_smtp, _take_smtp,
        lambda values: {k: v for k, v in values.items() if k != "smtp"}, ("smtp.password",),
    ),
    Step("smtp.tls", _ask_tls("smtp", SMTP_PORTS), _take_tls("smtp"), _without("smtp", "tls")),
    Step(
        "smtp.password", _ask_smtp_password, _take_smtp_password, _without("smtp", "user"),
        ("smtp.password",),
    ),
    Step("agents", _ask_agents, _take_agents),
)  # fmt: skip
"""Steps in the order in which they are asked."""
