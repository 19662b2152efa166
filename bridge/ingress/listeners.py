"""Starts the SMTP and LMTP listeners, and brings what they take to the desk."""

from __future__ import annotations

import asyncio
import ssl
import time

from bridge.config.settings import ConfigError, MailListener, SmtpListener
from bridge.desk import addresses
from bridge.desk.desk import Desk
from bridge.desk.inbound import pushed
from bridge.desk.inbound.pushed import Pushed
from bridge.ingress.envelope import Brought, Post
from bridge.ingress.guard import Guard
from bridge.ingress.smtp import AS_LMTP, AS_SMTP, STRANGER, Connection, factory
from bridge.model import BridgeError, InboxId, Permanent

LAST_MOMENT = 10.0
"""Seconds that storing mail may take when the bridge stops."""


class MailListeners:
    """The listeners that the configuration names."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._guard = Guard(time.monotonic, desk.settings.ingress.smtp.proxies)
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._stopping = False
        self.patience = STRANGER
        """Seconds that an unknown recipient is answered later."""

    async def start(self) -> None:
        """Raises Permanent where an address is in use, ConfigError for a certificate that cannot
        be read."""
        ingress = self._desk.settings.ingress
        for protocol, at in ((AS_SMTP, ingress.smtp), (AS_LMTP, ingress.lmtp)):
            if at.port:
                try:
                    await self._listen(protocol, at)
                except BridgeError:
                    await self.close()
                    raise

    async def close(self) -> None:
        """Take no new mail; what is being stored is stored, as its sender is told."""
        self._stopping = True
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.stop()
        storing = {connection.task for connection in self._connections}
        if storing:
            await asyncio.wait(storing, timeout=LAST_MOMENT)

    async def _listen(self, protocol: str, at: MailListener) -> None:
        ingress = self._desk.settings.ingress
        tls = _tls(at) if isinstance(at, SmtpListener) else None
        name = ingress.domain or self._desk.server_name
        post = Post(name, self._desk.settings.limits.mail_size, self._find, self._room, self._take)
        made = factory(
            post, self._guard, protocol, tls, patience=self.patience, connections=self._connections
        )
        try:
            loop = asyncio.get_running_loop()
            self._servers.append(await loop.create_server(made, at.host, at.port))
        except OSError as error:
            raise Permanent(
                f"ingress.{protocol}: cannot listen on {at.host}:{at.port}: {error.strerror}; stop"
                " what uses the port or choose another one in config.yaml"
            ) from error

    async def _find(self, spec: str) -> str | None:
        return await addresses.owner(self._desk, spec)

    def _room(self) -> str:
        """Why no mail can be taken now."""
        free, kept = self._desk.store.free_space(), self._desk.settings.limits.free_disk
        if self._stopping:
            return "This server stops; try again later"
        return "The disk is nearly full" if free is not None and free < kept else ""

    async def _take(self, mail: Brought) -> None:
        by_inbox: dict[InboxId, list[str]] = {}
        for spec, owner in mail.recipients:
            by_inbox.setdefault(InboxId(owner), []).append(spec)
        is_stamped = mail.protocol == AS_LMTP  # a mail server of ours hands over by LMTP
        await pushed.take(self._desk, "smtp", [
            ([inbox], Pushed(mail.raw, tuple(specs), mail.sender, is_stamped=is_stamped))
            for inbox, specs in by_inbox.items()
        ])  # fmt: skip


def _tls(at: SmtpListener) -> ssl.SSLContext | None:
    if at.cert_file is None:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(at.cert_file, at.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"ingress.smtp: {at.cert_file} and its key cannot be used: {error}"
        ) from error
    return context
