"""The sender check of mail that comes straight to us, where no mail server of ours has made one."""

from __future__ import annotations

from dataclasses import replace

from bridge.desk.desk import Desk
from bridge.mail import dkim
from bridge.model import Mail, Permanent, Verdict, ascii_domain
from bridge.model.dns import Question

LOOKUP = 3.0
"""Seconds for the keys of all signatures."""


async def checked(desk: Desk, mail: Mail, raw: bytes) -> Mail:
    """The mail with its verdict: PASS where a domain that vouches for its sender has signed it.
    Nothing is said of any other: forwarding breaks signatures."""
    if mail.sender_verdict is not Verdict.NONE or mail.problem:
        return mail
    names = dkim.key_names(raw)
    found = await desk.names.ask(map(Question, names), LOOKUP) if names else {}
    # of several records at a name none counts (RFC 6376 §3.6.2.2)
    keys = {q.name: each.values[0] for q, each in found.items() if len(each.values) == 1}
    if not keys:
        return mail
    try:
        signed = await desk.reader.signed_by(raw, keys)
    except Permanent:
        return mail
    sender = ascii_domain(mail.sender.domain)
    if any(dkim.vouches(domain, sender) for domain in signed):
        return replace(mail, sender_verdict=Verdict.PASS)
    return mail
