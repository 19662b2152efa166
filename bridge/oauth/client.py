"""Asks authorization servers for tokens (RFC 6749, 7523, 8628); says nothing of secrets."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt

from bridge import failpoint
from bridge.config.oauth import Endpoints, OAuthClient
from bridge.mail.charset import clean_line
from bridge.model import BridgeError, Permanent, Transient
from bridge.model.grant import DeviceLogin, GrantRefused, Tokens

TIMEOUT = 30.0
MOST = 1 << 20
"""Maximum bytes of an answer."""
PASSING = frozenset({"temporarily_unavailable", "server_error", "authorization_pending"})
"""Errors after which the same request may succeed."""
SLOWER = 5.0
"""Seconds that `slow_down` adds (RFC 8628 §3.5)."""
LASTS = 3600.0
"""Seconds for which a token is used whose end the server does not say."""
METADATA = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")


class NotThere(Permanent):
    """There is nothing at an address."""


class AuthorizationServers:
    """Implements ports.Authorizer."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """`now` returns epoch seconds."""
        self._now = now
        self._found: dict[str, Mapping[str, Any]] = {}
        """Metadata by issuer."""

    async def endpoints(self, client: OAuthClient) -> Endpoints:
        """The endpoints of a client; its issuer is asked once."""
        known = client.endpoints
        if known is None:
            if client.issuer not in self._found:
                self._found[client.issuer] = await self._metadata(client)
            known = client.with_endpoints(self._found[client.issuer]).endpoints
        if known is None or not known.token:
            raise Permanent(f"oauth {client.id}: {client.issuer} names no token endpoint")
        return known

    async def exchange(
        self, client: OAuthClient, code: str, verifier: str, redirect: str
    ) -> Tokens:
        """Tokens for a code that the browser brought back (RFC 6749 §4.1.3)."""
        return await self._tokens(
            client, grant_type="authorization_code", code=code, code_verifier=verifier,
            redirect_uri=redirect,
        )  # fmt: skip

    async def renew(self, client: OAuthClient, refresh: str) -> Tokens:
        """New tokens for a refresh token (RFC 6749 §6). Microsoft wants the scopes each time."""
        scopes = " ".join((await self.endpoints(client)).scopes)
        return await self._tokens(
            client, grant_type="refresh_token", refresh_token=refresh,
            **({} if client.provider == "google" else {"scope": scopes}),
        )  # fmt: skip

    async def own(self, client: OAuthClient, user: str) -> Tokens:
        """A token of the client itself, for a mailbox: of a service account (RFC 7523 §2.1), or of
        the client's credentials (RFC 6749 §4.4)."""
        endpoints = await self.endpoints(client)
        scopes = " ".join(endpoints.own_scopes)
        if client.flow != "service":
            return await self._tokens(client, grant_type="client_credentials", scope=scopes)
        key, now = client.service_key(), int(self._now())
        claims = {
            "iss": key["client_email"], "sub": user, "scope": scopes, "aud": endpoints.token,
            "iat": now, "exp": now + 3600,
        }  # fmt: skip
        try:
            assertion = jwt.encode(
                claims, key["private_key"], "RS256", headers={"kid": key["private_key_id"]}
            )
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise Permanent(
                f"oauth {client.id}: the private_key of service_account cannot be used"
                f" ({type(error).__name__}); make a new key file"
            ) from None
        grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return await self._tokens(client, grant_type=grant_type, assertion=assertion)

    async def begin_device(self, client: OAuthClient) -> DeviceLogin:
        """Begin a log-in by code (RFC 8628 §3.1)."""
        endpoints = await self.endpoints(client)
        if not endpoints.device:
            raise Permanent(f"{client.label} has no log-in by code; use the link")
        form = {"client_id": client.client_id, "scope": " ".join(endpoints.scopes)}
        found = await self._post(client, endpoints.device, form)
        try:
            return DeviceLogin(
                str(found["device_code"]), str(found["user_code"]),
                str(found.get("verification_uri") or found["verification_url"]),
                float(found.get("interval", 5)), float(found["expires_in"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise Transient(f"{client.label} answers nothing of use") from error

    async def ask_device(self, client: OAuthClient, device_code: str) -> Tokens:
        """The tokens, once the person has logged in. Raises Transient until then; its `retry_after`
        is set where questions have to be rarer."""
        grant_type = "urn:ietf:params:oauth:grant-type:device_code"
        return await self._tokens(client, grant_type=grant_type, device_code=device_code)

    async def _tokens(self, client: OAuthClient, **form: str) -> Tokens:
        endpoints = await self.endpoints(client)
        if form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            form["client_id"] = client.client_id
            if secret := client.client_secret.get_secret_value():
                form["client_secret"] = secret
        found = await self._post(client, endpoints.token, form)
        now, access = self._now(), found.get("access_token")
        if not isinstance(access, str) or not access:
            raise Transient(f"{client.label} answers without a token")
        lasts, refresh_lasts = (
            _number(found.get(name)) for name in ("expires_in", "refresh_token_expires_in")
        )
        return Tokens(
            access, now + (lasts or LASTS), str(found.get("refresh_token") or ""),
            now + refresh_lasts if refresh_lasts else 0.0, str(found.get("scope") or ""),
            _account(found.get("id_token")),
        )  # fmt: skip

    async def _metadata(self, client: OAuthClient) -> Mapping[str, Any]:
        """What an issuer says of itself (RFC 8414, OpenID Connect Discovery)."""
        refused: BridgeError | None = None
        for path in METADATA:
            try:
                found = await self._ask(client, "GET", client.issuer.rstrip("/") + path, None)
            except (GrantRefused, NotThere) as error:
                refused = error
                continue
            if str(found.get("issuer", "")).rstrip("/") != client.issuer.rstrip("/"):
                raise Permanent(
                    f"oauth {client.id}: {client.issuer} says that it is another issuer"
                )
            return found
        raise Permanent(f"oauth {client.id}: {client.issuer} tells no endpoints") from refused

    async def _post(
        self, client: OAuthClient, url: str, form: Mapping[str, str]
    ) -> Mapping[str, Any]:
        async with failpoint.around("oauth.post"):
            return await self._ask(client, "POST", url, form)

    async def _ask(
        self, client: OAuthClient, method: str, url: str, form: Mapping[str, str] | None
    ) -> Mapping[str, Any]:
        timeout, host = aiohttp.ClientTimeout(total=TIMEOUT), urlsplit(url).hostname
        headers = {"Accept": "application/json", "User-Agent": "Postroom"}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.request(
                    method, url, data=form, headers=headers, allow_redirects=False
                ) as answer,
            ):
                status = answer.status
                body = b""
                while len(body) < MOST and (piece := await answer.content.read(MOST)):
                    body += piece
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Transient(f"{client.label} ({host}): {type(error).__name__}") from None
        if status == 404 and method == "GET":
            raise NotThere(f"{client.label} ({host}) answers 404")
        if status == 429 or status >= 500:
            raise Transient(f"{client.label} ({host}) answers {status}")
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict) and status == 200:
            return found
        raise _refused(client, host or "", status, found, form or {})


def _refused(
    client: OAuthClient, host: str, status: int, found: Any, form: Mapping[str, str]
) -> Exception:
    """What an answer that is not 200 means. Only `error` decides; texts and numbers change."""
    error = found.get("error") if isinstance(found, dict) else None
    if not isinstance(error, str):
        return Transient(f"{client.label} ({host}) answers {status} and no error of OAuth2")
    if error == "slow_down":
        return Transient(f"{client.label} asks for patience", retry_after=SLOWER)
    if error in PASSING:
        return Transient(f"{client.label} says {error}")
    said = str(found.get("error_description") or "")
    number = re.search(r"AADSTS\d+", said)
    for name in ("client_secret", "refresh_token", "code", "device_code", "assertion"):
        if form.get(name):
            said = said.replace(form[name], "…")
    return GrantRefused(clean_line(error, 60), clean_line(said, 300), number[0] if number else "")


def _account(id_token: Any) -> str:
    """The address of the account in an id_token. It came from the token endpoint itself, so that
    its signature need not be checked (OpenID Connect Core §3.1.3.7)."""
    try:
        claims = jwt.decode(id_token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError):
        return ""
    for name in ("email", "preferred_username", "upn"):
        value = claims.get(name)
        if isinstance(value, str) and "@" in value:
            return clean_line(value, 254)
    return ""


def _number(value: Any) -> float:
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        return 0.0
