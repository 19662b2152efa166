"""What authorization servers answer, and what is made of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bridge.chat import grant as texts
from bridge.config.oauth import KNOWN, OAuthClient, authorize_url, challenge
from bridge.model import Permanent, Transient
from bridge.model.grant import GrantRefused
from bridge.oauth.client import AuthorizationServers
from tests.servers.oauth import SECRET, AuthorizationServer

NOW = 1_790_000_000.0
USER = "support@acme.example"


@asynccontextmanager
async def answering(status: int, body: str | bytes) -> AsyncIterator[OAuthClient]:
    """A client whose token endpoint answers so."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    app = web.Application()
    app.router.add_post("/token", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]  # it listens
    try:
        yield OAuthClient(
            id="microsoft", client_id="c", client_secret=SECRET,
            token_url=f"http://127.0.0.1:{port}/token",
        )  # fmt: skip
    finally:
        await runner.cleanup()


def servers() -> AuthorizationServers:
    return AuthorizationServers(lambda: NOW)


@pytest.mark.parametrize(("status", "body"), [
    (503, "<html>away</html>"), (500, '{"error": "invalid_grant"}'), (429, "{}"), (200, "<html>"),
    (200, "[]"), (200, "{}"), (200, '{"access_token": ""}'), (200, '{"access_token": 7}'),
    (302, ""), (200, "[" * 100_000), (400, '{"error": "temporarily_unavailable"}'),
    (400, '{"error": "server_error"}'), (400, '{"error": "slow_down"}'),
    (400, '{"error": "authorization_pending"}'), (418, "tea"),
    (403, "<html>a proxy says no</html>"), (400, '{"error": {"code": 7}}'), (404, ""), (403, "[1]"),
])  # fmt: skip
async def test_what_may_pass_is_asked_again(status: int, body: str) -> None:
    async with answering(status, body) as client:
        with pytest.raises(Transient):
            await servers().renew(client, "refresh")


@pytest.mark.parametrize(("status", "body", "error", "number"), [
    (400, {"error": "invalid_grant", "error_description": "AADSTS50173: x"}, "invalid_grant",
     "AADSTS50173"),
    (401, {"error": "invalid_client"}, "invalid_client", ""),
    (400, {"error": "something_new", "error_description": "Odd."}, "something_new", ""),
])  # fmt: skip
async def test_what_a_server_refuses_is_for_a_person(
    status: int, body: object, error: str, number: str
) -> None:
    async with answering(status, json.dumps(body)) as client:
        with pytest.raises(GrantRefused) as refused:
            await servers().renew(client, "refresh")
    assert (refused.value.error, refused.value.number) == (error, number)
    text = texts.refusal(client, USER, refused.value)
    assert text.startswith(f"Microsoft gives no access to {USER}: ")


async def test_a_refusal_repeats_no_secret() -> None:
    said = f"code rt-canary or {SECRET} is wrong"
    body = json.dumps({"error": "invalid_grant", "error_description": said})
    async with answering(400, body) as client:
        with pytest.raises(GrantRefused) as refused:
            await servers().renew(client, "rt-canary")
    assert refused.value.said == "code … or … is wrong"


@pytest.mark.parametrize(("body", "lasts"), [
    ({"expires_in": 7200}, 7200), ({"expires_in": "7200"}, 7200), ({}, 3600),
    ({"expires_in": None}, 3600), ({"expires_in": -5}, 3600), ({"expires_in": "soon"}, 3600),
])  # fmt: skip
async def test_how_long_a_token_lasts(body: dict[str, object], lasts: float) -> None:
    async with answering(200, json.dumps({"access_token": "t", **body})) as client:
        tokens = await servers().renew(client, "refresh")
    assert tokens.access_ends == NOW + lasts
    assert tokens.refresh == "", "the one before stays"


@pytest.mark.parametrize(("claims", "account"), [
    ({"email": USER}, USER), ({"preferred_username": USER}, USER), ({"upn": USER}, USER),
    ({"email": 7, "preferred_username": USER}, USER), ({"preferred_username": "bob"}, ""), ({}, ""),
])  # fmt: skip
async def test_which_account_logged_in(claims: dict[str, object], account: str) -> None:
    id_token = jwt.encode(claims, "k" * 32, "HS256")
    async with answering(200, json.dumps({"access_token": "t", "id_token": id_token})) as client:
        assert (await servers().renew(client, "refresh")).account == account


@pytest.mark.parametrize("id_token", ["", "x", "a.b.c", 7, None, ["a"]])
async def test_an_id_token_that_is_none_says_nothing(id_token: object) -> None:
    body = json.dumps({"access_token": "t", "id_token": id_token})
    async with answering(200, body) as client:
        assert (await servers().renew(client, "refresh")).account == ""


async def test_a_service_account_asks_for_a_mailbox_with_a_signed_claim() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()  # fmt: skip
    server = AuthorizationServer()
    server.key = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()  # fmt: skip
    await server.start()
    try:
        file = {"client_email": "bot@x.example", "private_key": pem, "private_key_id": "1"}
        client = OAuthClient(
            id="google", flow="service", service_account=json.dumps(file),
            token_url=f"{server.url}/token",
        )  # fmt: skip
        tokens = await AuthorizationServers().own(client, USER)
        assert server.tokens[tokens.access] == USER
        assert tokens.scope == "https://mail.google.com/"
        broken = client.model_copy(update={"service_account": type(client.client_secret)(
            json.dumps({**file, "private_key": "no key"}))})  # fmt: skip
        with pytest.raises(Permanent, match="private_key of service_account"):
            await AuthorizationServers().own(broken, USER)
    finally:
        await server.stop()


async def test_an_issuer_tells_its_endpoints_once() -> None:
    server = AuthorizationServer()
    await server.start()
    try:
        client = OAuthClient(id="own", client_id="c", issuer=server.url, scopes=("imap",))
        found = await (asked := AuthorizationServers()).endpoints(client)
        assert found.token == f"{server.url}/token"
        assert await asked.endpoints(client) == found
        liar = OAuthClient(id="own", client_id="c", issuer=f"{server.url}/other")
        with pytest.raises(Permanent, match="tells no endpoints"):
            await AuthorizationServers().endpoints(liar)
        server._metadata_text = lambda: {"issuer": "https://evil.example"}  # type: ignore[method-assign]  # the server's part
        with pytest.raises(Permanent, match="says that it is another issuer"):
            await AuthorizationServers().endpoints(client)
    finally:
        await server.stop()


def test_the_link_asks_for_what_each_provider_wants() -> None:
    google = OAuthClient(id="google", client_id="c")
    link = authorize_url(google, KNOWN["google"], "s", "v", "https://p.example/cb", USER)
    assert "access_type=offline&prompt=consent" in link
    assert "scope=https%3A%2F%2Fmail.google.com%2F" in link
    assert "login_hint=support%40acme.example" in link
    microsoft = OAuthClient(id="microsoft", client_id="c", tenant="acme.example")
    endpoints = microsoft.endpoints
    assert endpoints is not None
    link = authorize_url(microsoft, endpoints, "s", "v", "https://p.example/cb", USER)
    assert link.startswith("https://login.microsoftonline.com/acme.example/oauth2/v2.0/authorize?")
    assert "offline_access" in link
    assert "login_hint" not in link, "a shared mailbox is no account"


def test_the_challenge_is_the_one_of_rfc_7636() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(("section", "fault"), [
    ({"id": "google"}, "needs client_id"),
    ({"id": "google", "client_id": "c", "flow": "device"}, "Google lets no device"),
    ({"id": "own", "client_id": "c"}, "neither google nor microsoft"),
    ({"id": "microsoft", "client_id": "c", "flow": "client"}, "tenant's own id"),
    ({"id": "microsoft", "client_id": "c", "flow": "client", "tenant": "a.example"},
     "needs client_secret"),
    ({"id": "google", "flow": "service"}, "is not the JSON file"),
    ({"id": "microsoft", "flow": "service"}, "Google's service accounts only"),
    ({"id": "own", "client_id": "c", "token_url": "http://evil.example/"}, "write it like https"),
    ({"id": "own", "client_id": "c", "issuer": "login.example"}, "write it like https"),
])  # fmt: skip
def test_a_client_that_cannot_work_is_refused(section: dict[str, str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        OAuthClient.model_validate(section)
