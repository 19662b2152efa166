"""Event contents for the files of a mail."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.chat.render import notice
from bridge.mail.limits import size
from bridge.model import Attachment, Content

INLINE = {
    "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/apng",
    "audio/mpeg", "audio/ogg", "audio/wav", "audio/webm", "audio/aac", "audio/mp4",
    "video/mp4", "video/webm", "video/ogg",
}  # fmt: skip
"""Types that clients display and the homeserver serves inline (Client-Server API v1.14, media
repository)."""


def names(attachments: Sequence[Attachment]) -> str:
    """`📎 report.pdf (2.1 MB), photo.png (12 kB)`; empty for none."""
    if not attachments:
        return ""
    shown = [f"{each.name} ({size(each.size)})" for each in attachments[:5]]
    more = f" and {len(attachments) - 5} more" if len(attachments) > 5 else ""
    return f"📎 {', '.join(shown)}{more}"


def content(
    attachment: Attachment, mxc: str, length: int, sides: tuple[int, int] | None = None
) -> Content:
    """The event of an uploaded file; `length` in bytes, `sides` of a picture in pixels. Only types
    that clients display safely keep their type (Client-Server API, media repository: types to serve
    inline)."""
    kind = attachment.type.partition("/")[0] if attachment.type in INLINE else "file"
    info: Content = {"mimetype": safe_type(attachment.type), "size": length}
    if kind == "image" and sides is not None:
        info |= {"w": sides[0], "h": sides[1]}
    return {
        "msgtype": f"m.{kind}",
        "body": attachment.name,
        "filename": attachment.name,
        "url": mxc,
        "info": info,
        "m.mentions": {},
    }


def safe_type(type: str) -> str:
    """The type to serve a file with. HTML, SVG and scripts never keep theirs: a browser could run
    them."""
    if type in INLINE or type in ("application/pdf", "text/plain", "text/calendar"):
        return type
    if type.startswith(("application/vnd.", "application/zip", "message/")):
        return type
    return "application/octet-stream"


def placeholder(attachment: Attachment, problem: str = "") -> Content:
    """The notice in place of a file that is not uploaded yet, or could not be."""
    what = f"{attachment.name} ({size(attachment.size)})"
    return notice(f"📎 {what}: {problem}" if problem else f"📎 {what} is being uploaded …")
