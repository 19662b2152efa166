"""Setting up an inbox by chat: dotted keys and texts in, a validated Inbox out. Pure."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from bridge.config.inbox import Card, Inbox
from bridge.config.server import Http, Imap, Smtp
from bridge.mail import provider
from bridge.mail.dkim import same_organization
from bridge.model import InboxId, Refused
from bridge.model.grant import grant_name

Values = dict[str, Any]
SECTIONS: tuple[type[BaseModel], ...] = (Imap, Smtp, Http, Card)
SECRETS = ("imap.password", "smtp.password", "http.key")
NOT_BY_CHAT = ("id", "paused", "rules", "imap.ca_file", "smtp.ca_file")
"""Keys chat cannot set. Paths on the server are only for admins with access to the server."""
RESET = "-"
PLAIN_WORDS = {
    "int_parsing": "A whole number is wanted", "float_parsing": "A number is wanted",
    "bool_parsing": "It is true or false", "date_parsing": "Write a day as 2026-01-31",
    "date_from_datetime_parsing": "Write a day as 2026-01-31",
}  # fmt: skip
"""Error types of pydantic, and their plain words for admins."""


def _keys() -> dict[str, Any]:
    """All dotted keys of an inbox that chat may set, with their types."""
    found: dict[str, Any] = {}
    for name, field in Inbox.model_fields.items():
        section = next((t for t in SECTIONS if t in get_args(field.annotation)), None)
        if section is None:
            found[name] = field.annotation
        else:
            found |= {f"{name}.{k}": f.annotation for k, f in section.model_fields.items()}
    return {key: type_ for key, type_ in found.items() if key not in NOT_BY_CHAT}


KEYS = _keys()


def key_named(text: str) -> str:
    """The known key that `text` names. Raises Refused, suggesting the nearest known key."""
    key = text.casefold()
    if key in KEYS:
        return key
    if key in NOT_BY_CHAT:
        where = {
            "paused": "!inbox pause and !inbox resume set it", "rules": "!rule add writes them"
        }.get(key, "config.yaml sets it")  # fmt: skip
        raise Refused(f"{key} cannot be set here: {where}. Nothing was changed.")
    near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(KEYS)}."
    raise Refused(f"There is no key {text[:60]}; {hint} Nothing was changed.")


def near(word: str) -> bool:
    """Whether a word is a key or a mistyped key."""
    known = [*KEYS, *NOT_BY_CHAT]
    return bool(difflib.get_close_matches(word.casefold(), known, n=1, cutoff=0.6))


def may_be_secret(key: str) -> bool:
    """Whether the value of `key` has to be treated as a password; so has that of an unknown key,
    which may be a mistyped one."""
    key = key.casefold()
    return key in SECRETS or key not in (*KEYS, *NOT_BY_CHAT)


def with_key(values: Mapping[str, Any], key: str, text: str) -> Values:
    """The values with `key` set from `text`; `-` resets the key to its default."""
    changed = copy.deepcopy(dict(values))
    section, _, name = key.rpartition(".")
    within = changed
    if section:
        within = changed[section] = dict(changed.get(section) or {})
    if text == RESET:
        within.pop(name, None)
        if section and not within:  # an empty one would say that there is none, a domain's included
            del changed[section]
    elif key == "imap.folders":  # their names may hold blanks
        within[name] = [word.strip() for word in text.split(",") if word.strip()]
    elif str(KEYS[key]).startswith("tuple"):
        within[name] = [word for word in re.split(r"[\s,;]+", text) if word]
    else:
        within[name] = text
    return changed


def build(inbox: InboxId, values: Mapping[str, Any], secrets: Mapping[str, str]) -> Inbox:
    """The inbox with these keys and plain secrets. Raises Refused, one sentence per fault."""
    built = try_build(inbox, values, secrets)
    if isinstance(built, Inbox):
        return built
    raise Refused(" ".join(built.values()))


def try_build(
    inbox: InboxId, values: Mapping[str, Any], secrets: Mapping[str, str]
) -> Inbox | dict[str, str]:
    """The inbox, or the faults: one sentence by dotted key."""
    whole = copy.deepcopy(dict(values)) | {"id": inbox}
    for key, secret in secrets.items():
        section, _, name = key.partition(".")
        whole[section] = {**(whole.get(section) or {}), name: secret}
    _complete(whole)
    try:
        return Inbox.model_validate(whole)
    except ValidationError as error:
        return {
            ".".join(map(str, fault["loc"])): _sentence(inbox, fault) for fault in error.errors()
        }


def _complete(whole: Values) -> None:
    """Fill in defaults in place: most servers use one user and password for IMAP and SMTP."""
    whole.setdefault("name", str(whole.get("address", "")).partition("@")[0].capitalize())
    for name in ("imap", "smtp"):  # it only receives, or its mail is forwarded to us
        if whole.get(name) == {}:
            del whole[name]
    imap, smtp = whole.get("imap"), whole.get("smtp")
    if imap:
        imap.setdefault("user", whole.get("address", ""))
    if smtp and smtp.get("auth") != "none":
        user = (imap or {}).get("user") or whole.get("address", "")
        same = imap if imap and _takes_same(imap, smtp, user) else {}
        smtp.setdefault("user", user)
        if "password" in same:
            smtp.setdefault("password", same["password"])
        if "oauth" in same and "password" not in smtp:
            smtp.setdefault("oauth", same["oauth"])


def _takes_same(imap: Values, smtp: Values, user: str) -> bool:
    """Whether the outgoing server may be given the log-in of the mailbox: both are of one
    organization, or an admin named the same user for it. No server gets another one's password."""
    one, other = str(imap.get("host", "")), str(smtp.get("host", ""))
    known = provider.of_host(one)
    is_one = known is not None and known == provider.of_host(other)
    return is_one or same_organization(one, other) or smtp.get("user") == user


def grants(values: Mapping[str, Any]) -> set[str]:
    """Names of the OAuth2 grants that an inbox with these keys uses, complete or not."""
    whole = copy.deepcopy(dict(values))
    _complete(whole)
    servers = [whole.get(name) or {} for name in ("imap", "smtp")]
    return {
        grant_name(str(server["oauth"]), str(server.get("user", "")))
        for server in servers
        if server.get("oauth")
    }


def _sentence(inbox: InboxId, fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    # pydantic repeats the fault in other words after a comma
    text = fault["msg"].removeprefix("Value error, ").partition(", unable to")[0]
    if fault["type"] == "missing":
        return f"{key} is missing: !inbox set {inbox} {key} VALUE."
    given = fault.get("input")
    text = PLAIN_WORDS.get(fault["type"], text)
    if key and key not in SECRETS and isinstance(given, str) and repr(given) not in text:
        return f"{key}: {given[:100]!r} does not fit: {text[0].lower()}{text[1:]}."
    return f"{key}: {text}." if key else f"{text}."


def id_for(address: str, taken: frozenset[str]) -> InboxId:
    """A short id for an inbox: `support` for support@acme.com, with a number if it is taken."""
    local = address.partition("@")[0].casefold()
    base = re.sub(r"[^a-z0-9-]+", "-", local).strip("-")[:36] or "inbox"
    if base not in taken:
        return InboxId(base)
    return InboxId(next(f"{base}-{n}" for n in range(2, 1000) if f"{base}-{n}" not in taken))


def setting_lines(
    inbox: Inbox | None, values: Mapping[str, Any], secrets: Mapping[str, str]
) -> list[str]:
    """`key: value` lines of the keys that are set; the values of secrets are not shown."""
    lines = []
    if inbox is not None:
        values = inbox.model_dump(mode="json", exclude_unset=True, exclude={"id"})
    for key in KEYS:
        section, _, name = key.rpartition(".")
        within = (values.get(section) or {}) if section else values
        if key in SECRETS:
            given = key in secrets or (inbox is not None and name in within)
            if given:
                lines.append(f"{key}: set, not shown")
        elif name in within and not isinstance(within[name], BaseModel):
            value = within[name]
            text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            lines.append(f"{key}: {text[:300] or '(empty)'}")
    return lines
