"""Texts about settings that admins read and change in the control room."""

from __future__ import annotations

from bridge.config.inbox_form import RESET, SECRETS, setting_lines
from bridge.model.oversight import StoredDomain

KEPT_ENCRYPTED = (
    "🔒 Kept encrypted, and your message is being redacted. The homeserver itself keeps what was"
    " redacted for some days (redaction_retention_period, 7 by default); a password in config.yaml"
    " never passes through a room."
)


def of_domain(name: str, shared: StoredDomain | None, *, is_new: bool) -> list[str]:
    """The lines above what DNS says of a domain: what its inboxes share."""
    lines = [f"Mail of {name}:"]
    if is_new:
        return [
            f"{name} is added. !domain set {name} imap.host mail.{name} and the like say what its"
            f" inboxes share; !inbox add support@{name} then asks only what is not said.",
            *lines,
        ]
    if shared is not None:
        own = setting_lines(None, shared.values, shared.secrets)
        lines = ["Its inboxes share:", *(own or ["nothing yet"]), *lines]
    return lines


def in_file(inbox: str) -> str:
    return (
        f"{inbox} is in config.yaml, which chat does not change: edit it there and restart the"
        " bridge."
    )


def changed(of: str, key: str, text: str) -> tuple[str, str]:
    """What is said of a setting that was changed, and what the audit log notes. No password is
    repeated."""
    if key in SECRETS and text == RESET:
        return f"{key} of {of} is deleted.", f"deleted {key}"
    if key in SECRETS:
        return KEPT_ENCRYPTED, f"set {key}"
    if text == RESET:
        return f"{key} of {of} has its default again.", f"set {key} to its default"
    return f"{key} of {of} is now {text[:200]}.", f"set {key} to {text[:200]}"
