"""What Amazon SNS posts: its signature by a certificate of its own, and its questions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from bridge.ingress import signatures
from bridge.ingress.posted import Broken, Forged, Posted

CERTIFICATE, CERTIFICATES = 64 * 1024, 8
"""Maximum bytes of a certificate, and how many are kept."""
TIMEOUT = 10.0
Fetch = Callable[[str], Awaitable[bytes]]


async def fetch(url: str) -> bytes:
    """The start of what is at an address of Amazon SNS."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.get(url, allow_redirects=False) as answer,
    ):
        answer.raise_for_status()
        found = b""
        while len(found) < CERTIFICATE and (piece := await answer.content.read(CERTIFICATE)):
            found += piece
        return found


class AmazonSns:
    """Verifies messages, and confirms subscriptions to the topic that is configured."""

    def __init__(self, fetch: Fetch = fetch) -> None:
        self.fetch = fetch
        self._certificates: dict[str, bytes] = {}

    async def proves_no_mail(self, posted: Posted, topic: str) -> bool:
        """Whether a message is SNS's own, and not a notification with a mail. Raises Forged for
        what is not of SNS and of this topic, Broken where Amazon does not answer."""
        message = posted.json()
        url = str(message.get("SigningCertURL"))
        if not signatures.is_certificate_of_sns(url):
            raise Forged("its certificate is not at Amazon's, or raw delivery is on")
        certificate = self._certificates.get(url) or await self._fetched(url)
        await asyncio.to_thread(signatures.sns, posted, topic, certificate)
        if len(self._certificates) > CERTIFICATES:
            self._certificates.clear()
        self._certificates[url] = certificate
        if message.get("Type") == "SubscriptionConfirmation":
            if not signatures.is_of_sns(message.get("SubscribeURL")):
                raise Forged("its address for confirming is not at Amazon's")
            await self._fetched(message["SubscribeURL"])
        return bool(message.get("Type") != "Notification")

    async def _fetched(self, url: str) -> bytes:
        try:
            return await self.fetch(url)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Broken(f"Amazon does not answer: {type(error).__name__}") from error
