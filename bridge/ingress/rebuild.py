"""Builds a mail from the fields of a provider that gives it in parts. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from email import policy
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

OF_THE_BODY = re.compile(r"(?i)(content-(type|transfer-encoding|disposition|id)|mime-version)$")


@dataclass(frozen=True, slots=True)
class File:
    """A file of the mail."""

    name: str
    type: str
    data: bytes = field(repr=False)
    content_id: str = ""


def rebuilt(
    headers: Sequence[tuple[str, str]], text: str, html: str, files: Sequence[File] = ()
) -> bytes:
    """The mail with these headers, its text and HTML, and its files. Headers that tell of the
    body's form are left out, as the form is new."""
    body = MIMEMultipart("alternative")
    if text or not html:
        body.attach(MIMEText(text, "plain", "utf-8"))
    if html:
        body.attach(MIMEText(html, "html", "utf-8"))
    whole: MIMEMultipart = body
    if files:
        whole = MIMEMultipart("mixed")
        whole.attach(body)
        for each in files:
            subtype = each.type.partition("/")[2] or "octet-stream"
            part = MIMEApplication(each.data, subtype)
            del part["Content-Type"]
            kind = each.type if re.fullmatch(r"[\w.+-]+/[\w.+-]+", each.type) else ""
            part["Content-Type"] = kind or "application/octet-stream"
            part.add_header("Content-Disposition", "inline" if each.content_id else "attachment",
                            filename=("utf-8", "", each.name))  # fmt: skip
            if each.content_id:
                part["Content-ID"] = f"<{_line(each.content_id).strip('<>')}>"
            whole.attach(part)
    head = b"".join(
        f"{name}: {_line(value)}\r\n".encode("utf-8", "replace")
        for name, value in headers
        if re.fullmatch(r"[!-9;-~]+", name) and OF_THE_BODY.match(name) is None
    )
    return head + whole.as_bytes(policy=policy.SMTP)


def _line(value: str) -> str:
    """A header's value on one line: a provider has unfolded it, or gives it folded."""
    return re.sub(r"[\r\n\0]+[ \t]*", " ", value)


def header_lines(block: str) -> list[tuple[str, str]]:
    """Names and values of a block of header lines."""
    found: list[tuple[str, str]] = []
    for line in re.split(r"\r?\n", block):
        name, colon, value = line.partition(":")
        if line[:1] in (" ", "\t") and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
        elif colon:
            found.append((name.strip(), value.strip()))
    return found
