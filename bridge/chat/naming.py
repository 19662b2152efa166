"""Names of people in place of their Matrix ids, in what the bridge writes."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from urllib.parse import quote

from bridge.chat.render import FORMAT
from bridge.mail.bare_links import TOKEN
from bridge.mail.charset import clean_line
from bridge.mail.html import from_text
from bridge.model import Content, Mxid

WRITTEN = ("body", "formatted_body", "topic")
"""The keys of a content that people read."""
ID = re.compile(r"(?<![\w/#@=?&])@[A-Za-z0-9._=/+-]{1,255}:[A-Za-z0-9.:\[\]-]{0,254}[A-Za-z0-9\]]")


def ids_in(content: Content) -> list[Mxid]:
    """The Matrix ids of users that stand in the texts of a content, each once."""
    text = "\n".join(str(content.get(key, "")) for key in WRITTEN)
    return [Mxid(each) for each in dict.fromkeys(ID.findall(text))]


def named(content: Content, names: Mapping[Mxid, str], *, with_ids: bool = False) -> Content:
    """The content with each id in `names` replaced by the name; whom it mentions becomes a pill
    (Client-Server API v1.14, user mentions). `with_ids`: the id stands behind the name."""
    changed = dict(content)
    mentions = content.get("m.mentions")
    mentioned = set(mentions.get("user_ids", ())) if isinstance(mentions, dict) else set()
    if mentioned & names.keys() and "formatted_body" not in content:
        changed |= {"format": FORMAT, "formatted_body": from_text(str(content["body"]))}

    def plain(found: re.Match[str]) -> str:
        who = Mxid(found[0])
        name = clean_line(names.get(who, ""), 64)
        return who if not name else f"{name} ({who})" if with_ids else name

    def marked(found: re.Match[str]) -> str:
        who = Mxid(found[0])
        if who in mentioned and who in names:
            to = f"https://matrix.to/#/{quote(who, safe='@:')}"
            return f'<a href="{to}">{html.escape(clean_line(names[who], 64))}</a>'
        return html.escape(plain(found), quote=False)

    for key in WRITTEN:
        text = changed.get(key)
        if isinstance(text, str) and key == "formatted_body":
            # never inside a tag: an attribute keeps what it says
            changed[key] = TOKEN.sub(
                lambda each: each[0] if each[2] else ID.sub(marked, each[0]), text
            )
        elif isinstance(text, str):
            changed[key] = ID.sub(plain, text)
    return changed
