"""The HTTP listener for the homeserver's pushes; stores events before it acknowledges them."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web
from mautrix.appservice import AppService, ASStateStore
from mautrix.client.state_store import MemoryStateStore

from bridge.config.settings import Homeserver, Registration
from bridge.matrix import transaction
from bridge.model import Transient

log = structlog.get_logger("appservice")

MAX_BODY = 256 * 1024 * 1024
"""Most bytes of one push: 100 events of 64 KiB and the data that a homeserver adds to them."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Take = Callable[[list[Any]], Awaitable[int]]
"""Stores a batch of raw events; returns how many were new."""
StoreEphemeral = Callable[[list[Any]], Awaitable[None]]
"""Stores ephemeral events, which are pushed only once: read receipts, typing."""


class _NoState(ASStateStore, MemoryStateStore):
    """The state store that mautrix requires for helpers we do not use; it stays empty."""


class Service(AppService):
    """mautrix's appservice, changed to answer only after the events are stored.

    Each push is stored in one transaction and then answered 200. When the store fails, the answer
    is 500, and the homeserver sends the push again. The first push after a start is answered 503
    (the nudge): that makes Synapse also send the events that got stuck when it last died.
    """

    def __init__(
        self,
        take: Take,
        notice: StoreEphemeral,
        nudged: Callable[[], None],
        homeserver: Homeserver,
        registration: Registration,
    ) -> None:
        super().__init__(
            server=homeserver.url,
            domain=homeserver.server_name,
            as_token=registration.as_token.get_secret_value(),
            hs_token=registration.hs_token.get_secret_value(),
            bot_localpart=registration.sender_localpart,
            id=registration.id,
            state_store=_NoState(),
            aiohttp_params={"client_max_size": MAX_BODY},
        )
        self._take = take
        self._notice = notice
        self._on_nudge = nudged
        self._nudged = False
        # checks the token for every path, also unknown ones, before a body is read
        self.app.middlewares.append(self._admit)

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._check_token(request):
            return _answer(403, {"errcode": "M_FORBIDDEN", "error": "wrong hs_token"})
        return await handler(request)

    def _check_token(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # a header can contain any bytes; aiohttp turns those that are not UTF-8 into surrogates
        given = token.encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, self.hs_token.encode()) and scheme.lower() == "bearer"

    async def _http_handle_transaction(self, request: web.Request) -> web.Response:
        if not self._nudged:
            self._nudged = True
            self._on_nudge()
            return _answer(503, {"errcode": "M_UNKNOWN", "error": "starting, send it again"})
        try:
            body = transaction.read(await request.read())
        except ValueError as error:
            return _answer(400, {"errcode": "M_BAD_JSON", "error": str(error)})
        try:
            await self._take(body["events"])
        except Transient as error:
            log.warning("push not stored", error=str(error))
            return _answer(500, {"errcode": "M_UNKNOWN", "error": "not stored, send it again"})
        except Exception:
            log.exception("push not stored")
            return _answer(500, {"errcode": "M_UNKNOWN", "error": "not stored, send it again"})
        await self._hear(body)
        return _answer(200, {})

    async def _hear(self, body: dict[str, Any]) -> None:
        """Store the ephemeral events of a push. They may be lost: errors never fail the push."""
        passing = body.get("ephemeral") or body.get("de.sorunome.msc2409.ephemeral")
        if not isinstance(passing, list) or not passing:
            return
        try:
            await self._notice(passing)
        except Exception as error:  # noqa: BLE001 - what was stored must be acknowledged
            log.info("receipts not noted", error=str(error))

    async def _http_query_user(self, request: web.Request) -> web.Response:
        return _unknown()

    async def _http_query_alias(self, request: web.Request) -> web.Response:
        return _unknown()


def _unknown() -> web.Response:
    """The answer to queries for users and rooms: none is created because somebody asks for it."""
    return _answer(404, {"errcode": "M_NOT_FOUND", "error": "not known"})


def _answer(status: int, body: dict[str, str]) -> web.Response:
    return web.json_response(body, status=status)
