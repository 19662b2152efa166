"""Texts about mail that is posted to us: what to set up at which provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

STEPS: Mapping[str, tuple[str, str]] = {
    "mailgun": (
        "/mailgun/mime",
        "At Mailgun, under Receiving, make a route that matches the recipient, with the action"
        " forward() and this address; it ends in /mime so that mails come as they were sent.",
    ),
    "mandrill": (
        "/mandrill",
        "At Mandrill, under Inbound, add a route with this address. Mandrill shows its key after"
        " it has found the address.",
    ),
    "postmark": (
        "/postmark",
        "At Postmark give it as the inbound webhook of the server, and tick “Include raw email"
        " content in JSON payload”.",
    ),
    "sendgrid": (
        "/sendgrid",
        "At SendGrid, under Inbound Parse, add the host with this address, and tick “POST the raw,"
        " full MIME message”.",
    ),
    "ses": (
        "/ses",
        "At Amazon make an SNS topic, subscribe this address to it, and let a receipt rule of SES"
        " publish to it with encoding Base64. The bridge confirms the subscription.",
    ),
    "relay": (
        "/relay",
        "A script posts each mail there as message/rfc822. It has to look at the answer: with curl"
        " --fail-with-body, and exit 75 where that fails, or mail is lost.",
    ),
}  # fmt: skip
"""By kind: the path behind the secret, and what to do there."""
KEYS: Mapping[str, str] = {
    "mailgun": "the HTTP webhook signing key (API security), not the API key",
    "mandrill": "the key that it shows beside the webhook",
    "ses": "the ARN of the topic",
}
"""Kinds that need http.key, and what it is."""


def address(
    id: str, kind: str, public_url: str, secret: str, password: str, *, has_key: bool
) -> str:
    """The address of an inbox's hook, and the steps that are left."""
    path, steps = STEPS[kind]
    scheme, _, host = public_url.partition("://")
    log_in = "" if kind in KEYS else f"postroom:{password}@"
    text = (
        f"{scheme}://{log_in}{host}/in/{secret}{path}\n{steps}\nWhoever has this address can bring"
        f" mail into {id}: tell nobody else."
    )
    if kind in KEYS and not has_key:
        text += (
            f"\nNothing is taken before the key is set: !inbox set {id} http.key, and then"
            f" {KEYS[kind]}."
        )
    return text


def for_draft(id: str, sender: str, subject: str, text: str) -> str:
    """Tells of a mail for an inbox that is not live yet."""
    return (
        f"📨 A mail came for draft {id}. It becomes a conversation once {id} is published.\n"
        f"{_shown(sender, subject, text)}"
    )


def question(id: str, sender: str, subject: str, text: str) -> str:
    """Tells that a provider asks whether it may forward mail to an inbox."""
    whose = f"to {id}" if id else "to postmaster"
    return (
        f"📨 Somebody wants their mail to be forwarded {whose}. If that was you, open the link;"
        f" otherwise do nothing.\n{_shown(sender, subject, text)}"
    )


def forwarded_to(id: str, address: str, made: Sequence[str]) -> str:
    """Tells where the mail of an inbox is to be forwarded."""
    others = f" (also taken: {', '.join(made[:-1])})" if made[1:] else ""
    return (
        f"Let {address} be forwarded to {made[-1]}{others}. Gmail and Zoho ask first whether that"
        f" is wanted: while {id} is a draft, their mail is shown here with its link. At Microsoft"
        " 365 an admin has to allow forwarding to the outside (outbound spam policy), and it has to"
        " redirect, not forward, or the sender is lost. Keep a copy there."
    )


def for_postmaster(sender: str, subject: str, text: str) -> str:
    """Tells of a mail to postmaster@ the platform's domain."""
    return f"📨 A mail to postmaster came.\n{_shown(sender, subject, text)}"


def _shown(sender: str, subject: str, text: str) -> str:
    lines = [line[:300] for line in text.splitlines() if line.strip()]
    return "\n".join((f"From: {sender}", f"Subject: {subject}", *lines[:12]))
