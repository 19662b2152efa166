"""Pages for browsers behind signed links that expire: the original of a mail, or the preview of an
unsent mail."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from bridge.config.inbox import Inbox
from bridge.desk.admin import inboxes, testing
from bridge.desk.desk import Desk
from bridge.desk.outbound import sample, writing
from bridge.mail import compose, page
from bridge.mail.compose import PICTURES
from bridge.mail.page import View
from bridge.mail.token import Links
from bridge.model import DeliveryState, InboxId, Mail, MailId, Permanent, Refused, Transient
from bridge.web.answers import COMMON, html, refused
from bridge.web.callback import Callback
from bridge.web.listener import Handler

SOURCE = 2_000_000
"""Maximum bytes of a mail's source that are shown; the .eml has all of it."""
SEALED = {"Content-Security-Policy": "sandbox; default-src 'none'"}
MAX_CACHED_MAILS = 8
"""Maximum number of parsed mails in the cache."""
BUSY = "Try again in a moment."
EXPIRED = (
    "This link has expired, or is not one of ours. Say !original in the conversation's room for a"
    " new one. The link to a draft comes anew when its message is edited, and that to a sample of"
    " an inbox's mail with !template preview."
)
FORGOTTEN = "This mail is not kept any more: its time was over, or it was erased."


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of a mail, its inbox, and the file name for a download."""

    inbox: Inbox
    raw: bytes
    key: str
    """Identifies the bytes."""
    name: str


class Pages:
    """The pages at `public_url`. Every page needs a signed link."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._read: dict[str, Mail] = {}
        """Cache of the mails read last, by token: a page requests its parts one by one."""
        mail = r"/{kind:mail|draft|template}/{token:[\w.-]{20,200}}"
        self.routes: Mapping[str, Handler] = {
            mail: self._frame, f"{mail}/body": self._body,
            mail + r"/part/{part:\d{1,4}}": self._part,
            f"{mail}/source": self._source, f"{mail}/mail.eml": self._eml,
            "/oauth/callback": Callback(desk).answer,
        }  # fmt: skip

    async def _frame(self, request: web.Request) -> web.Response:
        mail, _ = await self._mail(request)
        nonce, url = secrets.token_urlsafe(16), self._url(request)
        text = await asyncio.to_thread(page.frame, mail, url, _view(request), nonce)
        return html(text, page.outer_policy(url, nonce))

    async def _body(self, request: web.Request) -> web.Response:
        mail, _ = await self._mail(request)
        view, url = _view(request), self._url(request)
        text = await asyncio.to_thread(page.inner, mail, url, view)
        return html(text, page.inner_policy(url, view))

    async def _part(self, request: web.Request) -> web.Response:
        """An inline picture of the mail; other files are not served here, they are in the room."""
        mail, source = await self._mail(request)
        number = int(request.match_info["part"])
        shown = [each for each in mail.attachments if each.part == number and each.type in PICTURES]
        if not shown:
            raise web.HTTPNotFound(headers=COMMON)

        async def load() -> bytes:
            return source.raw

        try:
            data = await self._desk.reader.part(source.key, number, load)
        except Permanent as error:
            raise web.HTTPNotFound(headers=COMMON) from error
        except Transient as error:
            raise refused(web.HTTPServiceUnavailable, BUSY) from error
        headers = {**COMMON, **SEALED}
        # the sandboxed frame has no origin, so its requests are cross-origin
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return web.Response(body=data, content_type=shown[0].type, headers=headers)

    async def _source(self, request: web.Request) -> web.Response:
        source = await self._raw(request)
        text = source.raw[:SOURCE].decode("utf-8", "replace")
        return web.Response(text=text, content_type="text/plain", headers={**COMMON, **SEALED})

    async def _eml(self, request: web.Request) -> web.Response:
        source = await self._raw(request)
        headers = {
            **COMMON, **SEALED, "Content-Disposition": f'attachment; filename="{source.name}.eml"'
        }  # fmt: skip
        return web.Response(
            body=source.raw, content_type="application/octet-stream", headers=headers
        )

    async def _mail(self, request: web.Request) -> tuple[Mail, Source]:
        source, key = await self._raw(request), request.match_info["token"]
        inbox = source.inbox
        mail = self._read.pop(key, None)
        if mail is None:
            try:
                mail, _ = await self._desk.reader.read(source.raw, inbox.authserv_id, inbox.own)
            except Transient as error:
                raise refused(web.HTTPServiceUnavailable, BUSY) from error
        if request.match_info["kind"] == "mail":  # a draft changes
            self._read[key] = mail
            if len(self._read) > MAX_CACHED_MAILS:
                del self._read[next(iter(self._read))]
        return mail, source

    async def _raw(self, request: web.Request) -> Source:
        kind, token = request.match_info["kind"], request.match_info["token"]
        links = self._links(kind)
        number, name = links.read(token), links.read_name(token)
        if number is None and name is None:
            raise refused(web.HTTPNotFound, self._desk.with_prefix(EXPIRED))
        try:
            if number is None:
                return await self._sample(InboxId(name or ""))
            return await (self._draft if kind == "draft" else self._kept)(number)
        except Refused as error:
            what = "draft" if kind == "draft" else "mail"
            raise refused(web.HTTPGone, f"There is no such {what} any more: {error}.") from error
        except (Transient, Permanent) as error:
            raise refused(web.HTTPServiceUnavailable, BUSY) from error

    async def _kept(self, number: int) -> Source:
        """The source of a stored mail."""
        async with self._desk.store.reading() as tx:
            letter = await tx.mails.letter(MailId(number))
            raw = b""
            if letter is not None and letter.raw is not None:
                raw = await tx.mails.raw(letter.raw)
        if letter is None or not raw:
            raise refused(web.HTTPGone, FORGOTTEN)
        name = f"conversation-{letter.conversation}"
        return Source(self._desk.inbox(letter.inbox), raw, f"raw:{letter.raw}", name)

    async def _draft(self, number: int) -> Source:
        """The source of a delivery as it would be sent now, or as it was sent."""
        async with self._desk.store.reading() as tx:
            delivery = await tx.deliveries.find(number)
            raw = await tx.deliveries.mime(number)
        if delivery is None or delivery.state is DeliveryState.CANCELLED:
            raise Refused("it was discarded")
        inbox = self._desk.inbox(delivery.inbox)
        if raw is None:
            mail = await writing.outgoing(self._desk, inbox, delivery)
            raw = await asyncio.to_thread(compose.build, mail)
        key = f"draft:{hashlib.sha256(raw).hexdigest()}"
        return Source(inbox, raw, key, f"draft-{number}")

    async def _sample(self, name: InboxId) -> Source:
        """The source of a mail as an inbox would send it now."""
        async with self._desk.store.reading() as tx:
            found = await inboxes.found(tx, self._desk, name)
        if found is None:
            raise Refused("its inbox was removed")
        inbox = testing.built(self._desk, found)
        raw = await asyncio.to_thread(compose.build, sample.mail(inbox, self._desk.now()))
        return Source(inbox, raw, f"draft:{hashlib.sha256(raw).hexdigest()}", f"mail-of-{name}")

    def _links(self, kind: str) -> Links:
        desk = self._desk
        by_kind = {"draft": desk.preview_links, "template": desk.template_links}
        return by_kind.get(kind, desk.original_links)

    def _url(self, request: web.Request) -> str:
        links = self._links(request.match_info["kind"])
        return links.url_of(self._desk.settings.public_url, request.match_info["token"])


def _view(request: web.Request) -> View:
    return View("text" in request.query, "pictures" in request.query)
