"""Outgoing webhooks: signed JSON to the URLs that rules name."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import urlsplit

import aiohttp

from bridge import failpoint
from bridge.model import Permanent, Transient

TIMEOUT = 15.0
RETRY_STATUSES = (408, 425, 429)


def signature(secret: str, id_: str, at: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` (standardwebhooks.com)."""
    signed = f"{id_}.{at}.".encode() + body
    key = secret.encode()
    if secret.startswith("whsec_"):  # the key format of its libraries; validated in config
        key = base64.b64decode(secret[6:])
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class Hooks:
    """Implements ports.Hooks."""

    async def deliver(self, url: str, id_: str, body: bytes, secret: str, at: int) -> None:
        """POST one event. Raises Transient if it may work later, otherwise Permanent; the error
        texts name only the host of the URL, because paths may be secret."""
        host = urlsplit(url).hostname
        headers = {
            "Content-Type": "application/json", "User-Agent": "Postroom",
            "webhook-id": id_, "webhook-timestamp": str(at),
            "webhook-signature": signature(secret, id_, at, body),
        }  # fmt: skip
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        try:
            async with (
                failpoint.around("hook.post"),
                aiohttp.ClientSession(timeout=timeout) as http,
                http.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Transient(f"webhook at {host}: {type(error).__name__}") from error
        if status >= 500 or status in RETRY_STATUSES:
            raise Transient(f"webhook at {host} answers {status}")
        if not 200 <= status < 300:
            raise Permanent(f"webhook at {host} answers {status}; look at its URL in the rule")
