"""What people's browsers see: the original of a mail, behind a signed link that expires."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping

from aiohttp import web

from bridge.desk.desk import Desk
from bridge.mail import page
from bridge.mail.compose import PICTURES
from bridge.mail.page import View
from bridge.model import Letter, Mail, MailId, Permanent, Transient
from bridge.web.listener import Listener

SOURCE = 2_000_000
"""Bytes of a mail's source that are shown; the .eml has all of it."""
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "X-DNS-Prefetch-Control": "off",
    "Cross-Origin-Resource-Policy": "same-site",
}
SEALED = {"Content-Security-Policy": "sandbox; default-src 'none'"}
KEPT = 8
"""Mails of which the reading is kept, until others are looked at."""
BUSY = "Try again in a moment."
EXPIRED = (
    "This link has expired, or is not one of ours. Say !original in the conversation's room for a"
    " new one."
)
FORGOTTEN = "This mail is not kept any more: its time was over, or it was erased."


class Pages:
    """The listener behind `public_url`. Nothing on it can be seen without a signed link."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._read: dict[MailId, Mail] = {}
        """The mails that were looked at last: a page asks for its parts one by one."""
        mail = r"/mail/{token:[\w.-]{20,200}}"
        self.listener = Listener({
            mail: self._frame, f"{mail}/body": self._body,
            mail + r"/part/{part:\d{1,4}}": self._part,
            f"{mail}/source": self._source, f"{mail}/mail.eml": self._eml,
        })  # fmt: skip

    async def _frame(self, request: web.Request) -> web.Response:
        mail, _ = await self._mail(request)
        nonce, url = secrets.token_urlsafe(16), self._url(request)
        text = await asyncio.to_thread(page.frame, mail, url, _view(request), nonce)
        return _html(text, page.outer_policy(url, nonce))

    async def _body(self, request: web.Request) -> web.Response:
        mail, _ = await self._mail(request)
        view, url = _view(request), self._url(request)
        text = await asyncio.to_thread(page.inner, mail, url, view)
        return _html(text, page.inner_policy(url, view))

    async def _part(self, request: web.Request) -> web.Response:
        """One of the mail's own pictures; other files are in the room."""
        mail, raw = await self._mail(request)
        number = int(request.match_info["part"])
        shown = [each for each in mail.attachments if each.part == number and each.type in PICTURES]
        if not shown:
            raise web.HTTPNotFound(headers=COMMON)
        try:
            data = await self._desk.reader.part(raw, number)
        except Permanent as error:
            raise web.HTTPNotFound(headers=COMMON) from error
        except Transient as error:
            raise _refused(web.HTTPServiceUnavailable, BUSY) from error
        headers = {**COMMON, **SEALED}
        # the sandbox around the mail has no origin, and so is a stranger to us
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return web.Response(body=data, content_type=shown[0].type, headers=headers)

    async def _source(self, request: web.Request) -> web.Response:
        _, raw = await self._raw(request)
        text = raw[:SOURCE].decode("utf-8", "replace")
        return web.Response(text=text, content_type="text/plain", headers={**COMMON, **SEALED})

    async def _eml(self, request: web.Request) -> web.Response:
        letter, raw = await self._raw(request)
        headers = {
            **COMMON, **SEALED,
            "Content-Disposition": f'attachment; filename="conversation-{letter.conversation}.eml"',
        }  # fmt: skip
        return web.Response(body=raw, content_type="application/octet-stream", headers=headers)

    async def _mail(self, request: web.Request) -> tuple[Mail, bytes]:
        letter, raw = await self._raw(request)
        inbox = self._desk.inbox(letter.inbox)
        mail = self._read.pop(letter.id, None)
        if mail is None:
            try:
                mail, _ = await self._desk.reader.read(raw, inbox.authserv_id, inbox.own)
            except Transient as error:
                raise _refused(web.HTTPServiceUnavailable, BUSY) from error
        self._read[letter.id] = mail
        if len(self._read) > KEPT:
            del self._read[next(iter(self._read))]
        return mail, raw

    async def _raw(self, request: web.Request) -> tuple[Letter, bytes]:
        number = self._desk.links.read(request.match_info["token"])
        if number is None:
            raise _refused(web.HTTPNotFound, EXPIRED)
        try:
            async with self._desk.store.reading() as tx:
                letter = await tx.mails.letter(MailId(number))
                raw = b""
                if letter is not None and letter.raw is not None:
                    raw = await tx.mails.raw(letter.raw)
        except (Transient, Permanent) as error:
            raise _refused(web.HTTPServiceUnavailable, BUSY) from error
        if letter is None or not raw:
            raise _refused(web.HTTPGone, FORGOTTEN)
        return letter, raw

    def _url(self, request: web.Request) -> str:
        return self._desk.links.url_of(self._desk.settings.public_url, request.match_info["token"])


def _view(request: web.Request) -> View:
    return View("text" in request.query, "pictures" in request.query)


def _html(text: str, policy: str) -> web.Response:
    headers = {**COMMON, "Content-Security-Policy": policy}
    return web.Response(text=text, content_type="text/html", headers=headers)


def _refused(kind: type[web.HTTPException], text: str) -> web.HTTPException:
    nonce = secrets.token_urlsafe(16)
    headers: Mapping[str, str] = {
        **COMMON, "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}'"
    }  # fmt: skip
    return kind(text=page.refusal(text, nonce), content_type="text/html", headers=headers)
