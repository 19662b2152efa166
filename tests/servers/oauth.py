"""An authorization server as Google's and Microsoft's behave: codes with PKCE, refresh tokens that
are replaced, device codes, client credentials, introspection for a mail server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import jwt
from aiohttp import web

CLIENT, SECRET = "postroom-client", "client-secret-canary"
LONG = "x" * 2500
"""Microsoft's tokens are that long."""


def _unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "k" * 32, "HS256")


@dataclass
class Login:
    """What a code, or a refresh token, stands for."""

    account: str
    scope: str
    challenge: str = ""
    redirect: str = ""


@dataclass
class AuthorizationServer:
    account: str = "support@acme.example"
    """Who logs in in the browser."""
    expires_in: int = 3600
    refresh_expires_in: int = 0
    replaces: bool = True
    """Whether a refresh brings a new refresh token, and ends the one before."""
    unticked: tuple[str, ...] = ()
    """Scopes that the person does not allow."""
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """What the next requests for tokens are answered."""
    is_down: bool = False
    holds: asyncio.Event | None = None
    """Answers wait for it."""
    key: str = ""
    """Public key of the service account."""
    asked: list[dict[str, str]] = field(default_factory=list)
    """Every request for tokens."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Account by access token that is valid."""
    opens: str = ""
    """The mailbox that its tokens open, where it is not that of the account."""

    def __post_init__(self) -> None:
        self._codes: dict[str, Login] = {}
        self._refresh: dict[str, Login] = {}
        self._devices: dict[str, Login | None] = {}
        self.device_answers: list[str] = []

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_post("/devicecode", self._device)
        app.router.add_get("/introspect", self._introspect)
        app.router.add_get("/.well-known/openid-configuration", self._metadata)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]  # it listens
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def client(self, **more: Any) -> dict[str, Any]:
        """The section of `oauth` that uses this server."""
        return {
            "client_id": CLIENT, "client_secret": SECRET, "authorize_url": f"{self.url}/authorize",
            "token_url": f"{self.url}/token", "device_url": f"{self.url}/devicecode", **more,
        }  # fmt: skip

    def revoke(self) -> None:
        """A changed password: all that was granted ends."""
        self._refresh.clear()
        self.tokens.clear()

    def _metadata_text(self) -> dict[str, str]:
        return {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
        }  # fmt: skip

    async def _metadata(self, request: web.Request) -> web.Response:
        return web.json_response(self._metadata_text())

    async def _authorize(self, request: web.Request) -> web.Response:
        query = request.query
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        allowed = [each for each in query["scope"].split() if each not in self.unticked]
        self._codes[code] = Login(
            self.account, " ".join(allowed), query["code_challenge"], query["redirect_uri"]
        )
        back = urlencode({"code": code, "state": query["state"]})
        raise web.HTTPFound(f"{query['redirect_uri']}?{back}")

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        if self.holds is not None:
            await self.holds.wait()
        if self.is_down:
            return web.Response(status=503, text="<html>away</html>")
        if self.refusals:
            status, body = self.refusals.pop(0)
            return web.json_response(body, status=status)
        match form["grant_type"]:
            case "authorization_code":
                return self._for(self._codes.pop(form["code"], None), form)
            case "refresh_token":
                found = self._refresh.get(form["refresh_token"])
                if found is not None and self.replaces:
                    del self._refresh[form["refresh_token"]]
                return self._for(found, form)
            case "client_credentials":
                if form.get("client_secret") != SECRET:
                    return _error("invalid_client", "AADSTS7000215: Invalid client secret", 401)
                return self._given(Login("app", form["scope"]), refresh=False)
            case "urn:ietf:params:oauth:grant-type:jwt-bearer":
                claims = jwt.decode(
                    form["assertion"], self.key, ["RS256"], audience=f"{self.url}/token"
                )
                return self._given(Login(claims["sub"], claims["scope"]), refresh=False)
            case _:
                return self._for_device(form)

    def _for(self, login: Login | None, form: dict[str, str]) -> web.Response:
        if form.get("client_secret") != SECRET or form["client_id"] != CLIENT:
            return _error("invalid_client", "AADSTS7000215: Invalid client secret", 401)
        if login is None:
            return _error("invalid_grant", "Token has been expired or revoked.")
        if "code" in form:
            verifier = form["code_verifier"].encode()
            digest = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).decode()
            if digest.rstrip("=") != login.challenge or form["redirect_uri"] != login.redirect:
                return _error("invalid_grant", "verifier or redirect address do not fit")
        return self._given(login)

    def _given(self, login: Login, *, refresh: bool = True) -> web.Response:
        access = f"at-{secrets.token_urlsafe(16)}-{LONG}"
        self.tokens[access] = self.opens or login.account
        answer: dict[str, Any] = {
            "token_type": "Bearer", "access_token": access, "expires_in": self.expires_in,
            "scope": login.scope, "id_token": _unsigned({"email": login.account}),
        }  # fmt: skip
        if refresh:
            again = f"rt-{secrets.token_urlsafe(16)}-{LONG}"
            self._refresh[again] = Login(login.account, login.scope)
            answer["refresh_token"] = again
        if self.refresh_expires_in:
            answer["refresh_token_expires_in"] = self.refresh_expires_in
        return web.json_response(answer)

    async def _device(self, request: web.Request) -> web.Response:
        form = await request.post()
        code = secrets.token_urlsafe(16)
        self._devices[code] = Login(self.account, str(form["scope"]))
        return web.json_response({
            "device_code": code, "user_code": "ABCD-EFGH", "interval": 0,
            "verification_uri": "https://microsoft.com/devicelogin", "expires_in": 900,
        })  # fmt: skip

    def _for_device(self, form: dict[str, str]) -> web.Response:
        if self.device_answers:
            said = self.device_answers.pop(0)
            error, _, text = said.partition(" ")
            return _error(error, text)
        return self._for(self._devices.pop(form["device_code"], None), {**form})

    async def _introspect(self, request: web.Request) -> web.Response:
        """As Dovecot asks (introspection_mode = auth)."""
        token = request.headers["Authorization"].removeprefix("Bearer ")
        account = self.tokens.get(token)
        if account is None:
            return web.json_response({"active": "no"})
        return web.json_response({"active": "yes", "username": account})

    async def person(self, link: str) -> str:
        """A person opens a link and logs in; returns where the browser is sent then."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(link, allow_redirects=False) as answer,
        ):
            assert answer.status == 302, await answer.text()
            return answer.headers["Location"]


def _error(error: str, said: str, status: int = 400) -> web.Response:
    return web.json_response({"error": error, "error_description": said}, status=status)


def state_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["state"][0]


def refused(error: str, said: str, status: int = 400) -> tuple[int, dict[str, str]]:
    """An entry of `refusals`."""
    return status, {"error": error, "error_description": said}


def token_of(xoauth2: str) -> tuple[str, str]:
    """(user, token) of an XOAUTH2 message in base64."""
    text = base64.b64decode(xoauth2).decode()
    fields = dict(part.split("=", 1) for part in text.strip("\1").split("\1"))
    return fields["user"], fields["auth"].removeprefix("Bearer ")


CHALLENGE = base64.b64encode(
    json.dumps({"status": "400", "schemes": "Bearer", "scope": "mail"}).encode()
).decode()
