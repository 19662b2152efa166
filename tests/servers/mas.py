"""A Matrix Authentication Service as Synapse sees one: it says whose an access token is, and orders
users and devices. People log in nowhere: `register` gives them a token."""

from __future__ import annotations

from typing import Any

import aiohttp
from aiohttp import web

SECRET = "shared-by-mas-and-synapse"
API, DEVICE = "urn:matrix:client:api:*", "urn:matrix:client:device:"
ADMIN = "urn:synapse:admin:*"


class FakeMas:
    """Answers Synapse's introspection (RFC 7662) at `url`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.url = f"http://127.0.0.1:{port}"
        self._scopes: dict[str, tuple[str, str]] = {}
        """Token → (localpart, scope)."""

    @property
    def synapse(self) -> dict[str, Any]:
        """What homeserver.yaml says where people log in here."""
        return {
            "matrix_authentication_service": {
                "enabled": True, "endpoint": self.url, "secret": SECRET
            },
            "password_config": {"enabled": False},
        }  # fmt: skip

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._metadata)
        app.router.add_post("/oauth2/introspect", self._introspect)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def register(self, homeserver: str, localpart: str) -> str:
        """Make a user and a device of theirs in Synapse; returns an access token."""
        device = f"DEVICE{localpart}"
        await self.order(homeserver, "provision_user", localpart=localpart)
        await self.order(homeserver, "upsert_device", localpart=localpart, device_id=device)
        token = f"mas_{localpart}"
        admin = f" {ADMIN}" if localpart == "admin" else ""
        self._scopes[token] = (localpart, f"{API} {DEVICE}{device}{admin}")
        return token

    async def order(self, homeserver: str, what: str, **body: Any) -> None:
        """One of the requests that MAS makes to Synapse."""
        headers = {"Authorization": f"Bearer {SECRET}"}
        url = f"{homeserver}/_synapse/mas/{what}"
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.post(url, json=body) as answer,
        ):
            assert answer.status < 300, await answer.text()

    async def _metadata(self, request: web.Request) -> web.Response:
        return web.json_response({
            "issuer": self.url, "account_management_uri": f"{self.url}/account",
        })  # fmt: skip

    async def _introspect(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {SECRET}":
            raise web.HTTPUnauthorized
        token = str((await request.post())["token"])
        if token not in self._scopes:
            return web.json_response({"active": False})
        localpart, scope = self._scopes[token]
        return web.json_response({"active": True, "username": localpart, "scope": scope})
