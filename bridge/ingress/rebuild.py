"""Builds a mail from the fields of a provider that gives it in parts. Pure."""

from __future__ import annotations

import hashlib
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
    """The mail with these headers, its text and HTML, and its files; the same for the same.
    Headers that tell of the body's form are left out, as the form is new."""
    digest = hashlib.sha256(repr((headers, text, html, files)).encode("utf-8", "replace"))
    for each in files:
        digest.update(each.data)
    body = MIMEMultipart("alternative", f"a{digest.hexdigest()[:40]}")
    if text or not html:
        body.attach(MIMEText(_clean(text), "plain", "utf-8"))
    if html:
        body.attach(MIMEText(_clean(html), "html", "utf-8"))
    whole: MIMEMultipart = body
    if files:
        whole = MIMEMultipart("mixed", f"m{digest.hexdigest()[:40]}")
        whole.attach(body)
        for each in files:
            whole.attach(_part(each))
    head = b"".join(
        f"{name}: {_line(value)}\r\n".encode("utf-8", "replace")
        for name, value in headers
        if re.fullmatch(r"[!-9;-~]+", name) and OF_THE_BODY.match(name) is None
    )
    return head + whole.as_bytes(policy=policy.SMTP)


def _part(file: File) -> MIMEApplication:
    part = MIMEApplication(file.data)
    del part["Content-Type"]
    kind = file.type if re.fullmatch(r"[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+", file.type) else ""
    part["Content-Type"] = kind or "application/octet-stream"
    name = _clean(_line(file.name)) or "file"
    part.add_header("Content-Disposition", "inline" if file.content_id else "attachment",
                    filename=("utf-8", "", name))  # fmt: skip
    content_id = "".join(char for char in file.content_id if "!" <= char <= "~").strip("<>")
    if content_id:
        part["Content-ID"] = f"<{content_id}>"
    return part


def _clean(text: str) -> str:
    """Text that can be encoded: a surrogate that stands alone cannot."""
    return text.encode("utf-8", "replace").decode()


def _line(value: str) -> str:
    """A header's value on one line: a provider has unfolded it, or gives it folded."""
    return re.sub(r"[\r\n\0]+[ \t]*", " ", value)


def header_lines(block: str) -> list[tuple[str, str]]:
    """Names and values of a block of header lines."""
    found: list[tuple[str, list[str]]] = []
    for line in re.split(r"\r?\n", block):
        name, colon, value = line.partition(":")
        if line[:1] in (" ", "\t") and found:
            found[-1][1].append(line.strip())
        elif colon:
            found.append((name.strip(), [value.strip()]))
    return [(name, " ".join(values)) for name, values in found]
