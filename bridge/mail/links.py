"""Finds links whose text names another host than the one they lead to."""

from __future__ import annotations

import html as entities
import re

HOST = re.compile(r"https?://([^/?#\\]+)", re.IGNORECASE)
SHOWN_HOST = re.compile(r"(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}|\d{1,3}(?:\.\d{1,3}){3}")
MAILBOX = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,255}")
IGNORED = re.compile("[\x00-\x20\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Characters that browsers drop from URLs, and that are invisible in texts."""


def other_host(href: str, content: str) -> str:
    """The true host or address of a link, in brackets, if the shown `content` names another one."""
    words = IGNORED.sub("", entities.unescape(re.sub("<[^>]*>", "", content))[:500]).casefold()
    if href[:7].lower() == "mailto:":
        to = href[7:].partition("?")[0].casefold()
        named = MAILBOX.findall(words)
        return f" ({entities.escape(to[:200])})" if named and to not in named else ""
    match = HOST.match(href)
    if match is None:
        return ""
    host = match[1].casefold().rpartition("@")[2].partition(":")[0].strip(".")
    named = [each.strip(".") for each in SHOWN_HOST.findall(words)]
    bare = host.removeprefix("www.")
    if not named or any(each.removeprefix("www.") == bare for each in named):
        return ""
    return f" ({entities.escape(host[:200])})"
