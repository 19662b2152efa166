"""The name of an attached file in Content-Type, for mail programs that do not know RFC 2231."""

from __future__ import annotations

from email.header import Header
from email.headerregistry import ContentTypeHeader
from email.message import EmailMessage
from email.policy import EmailPolicy

WORD = 66
"""Maximum characters of an encoded word, so that a line has at most 78."""


class NamedContentType(ContentTypeHeader):
    """Content-Type whose `name`, if it is not ASCII, is written as encoded words.

    RFC 2047 §5 forbids them inside quotes, but Outlook until 2016 and several archives read nothing
    else; others take the name in Content-Disposition, which is written by RFC 2231.
    """

    def fold(self, *, policy: EmailPolicy) -> str:
        name = str(self.params.get("name", ""))
        if name.isascii():
            return str(super().fold(policy=policy))  # type: ignore[misc]  # mixed in by the registry
        words = Header(name, "utf-8", maxlinelen=WORD).encode().split()
        between = f"{policy.linesep} "
        written = f'Content-Type: {self.content_type};{between}name="{between.join(words)}"'
        return f"{written}{policy.linesep}"


def add_name(part: EmailMessage, name: str) -> None:
    """Write the name of a file also where old programs look for it, if it is not ASCII."""
    if not name.isascii():
        part.set_param("name", name)
