"""The page to which a browser comes back after a log-in at Google, Microsoft or elsewhere."""

from __future__ import annotations

import secrets

from aiohttp import web

from bridge.desk.admin import open_login
from bridge.desk.desk import Desk
from bridge.mail import page
from bridge.model import Refused, Transient
from bridge.web.answers import COMMON, html, refused

DONE = (
    "You can close this page and go back to the chat: the control room says whether the log-in"
    " worked."
)
BUSY = "Try again in a moment: reload this page."


class Callback:
    """Answers `/oauth/callback` (RFC 6749 §4.1.2). A state counts once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def answer(self, request: web.Request) -> web.Response:
        if request.method == "HEAD":  # whatever looks at links must not use one up
            return web.Response(headers=COMMON)
        query = {name: request.query[name] for name in request.query}
        try:
            async with self._desk.store.transaction("settings") as tx:
                await open_login.came_back(tx, self._desk, query)
        except Refused as error:
            text = self._desk.with_prefix(str(error))
            raise refused(web.HTTPBadRequest, text) from error
        except Transient as error:
            raise refused(web.HTTPServiceUnavailable, BUSY) from error
        nonce = secrets.token_urlsafe(16)
        policy = f"default-src 'none'; style-src 'nonce-{nonce}'"
        return html(page.notice("Thank you", DONE, nonce), policy)
