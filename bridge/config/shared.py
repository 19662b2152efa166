"""Settings that the inboxes of one domain share: they hold where an inbox says nothing. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from bridge.config.inbox_form import Values

OF_SECTIONS = ("imap", "smtp", "card")
OF_ONE = (
    "name", "address", "aliases", "agents", "leads", "default", "department", "reply_to",
)  # fmt: skip
"""Keys about one address, which a domain cannot hold."""


def can_share(key: str) -> bool:
    """Whether a domain can hold a key of inboxes."""
    return key not in OF_ONE and not key.startswith("http.")


def merged(
    values: Mapping[str, Any], secrets: Mapping[str, str],
    shared: Mapping[str, Any], shared_secrets: Mapping[str, str],
) -> tuple[Values, dict[str, str]]:  # fmt: skip
    """Values and secrets of an inbox together with those of its domain."""
    whole = copy.deepcopy(dict(values))
    kept = dict(secrets)
    for key, value in shared.items():
        if key not in OF_SECTIONS:
            whole.setdefault(key, copy.deepcopy(value))
        elif _holds(key, values):
            whole[key] = {**value, **(whole.get(key) or {})}
    for key, secret in shared_secrets.items():
        section = key.partition(".")[0]
        if _holds(section, values) and not (values.get(section) or {}).get("oauth"):
            kept.setdefault(key, secret)
    for key in secrets:  # a password of its own takes the place of the domain's way to log in
        section = key.partition(".")[0]
        if section in whole and "oauth" not in (values.get(section) or {}):
            whole[section].pop("oauth", None)
    return whole, kept


def own(whole: Mapping[str, Any], shared: Mapping[str, Any]) -> Values:
    """What an inbox says itself: `whole` without what its domain says the same."""
    left: Values = {}
    for key, value in whole.items():
        common = shared.get(key)
        if key in OF_SECTIONS and value and common:
            rest = {name: each for name, each in value.items() if common.get(name) != each}
            left |= {key: rest} if rest else {}
        elif key not in shared or value != common:
            left[key] = value
    return left


def _holds(section: str, values: Mapping[str, Any]) -> bool:
    """Whether a section of the domain holds for an inbox: not where the inbox has none (`{}`),
    names another server, or has its mail brought by a provider."""
    given = values.get(section)
    if given is None:
        return not (section == "imap" and values.get("http"))
    return given != {} and "host" not in given
