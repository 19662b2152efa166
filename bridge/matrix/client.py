"""Sends requests to the homeserver, and turns its errors into ours with its code and text."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientResponse, ClientSession, TCPConnector
from mautrix.api import HTTPAPI, Method
from mautrix.errors import MatrixConnectionError

from bridge.matrix.transaction import loads
from bridge.model import BridgeError, HomeserverError, Transient

CLIENT = "_matrix/client/v3"
TIMEOUT = 60.0
LIMITS = ("M_USER_LIMIT_EXCEEDED", "M_RESOURCE_LIMIT_EXCEEDED")
"""Errcodes of quotas: of uploaded bytes in a day (MSC4335), of the users of a homeserver."""
LASTS = 600.0
"""Seconds for which a part counts as broken after its last error."""
MAX_ANSWER = 256 * 1024 * 1024
"""Maximum bytes of an answer; a longer one is an error."""


class _Api(HTTPAPI):
    """mautrix's client, raising our errors: mautrix's own error for 429 loses the delay that the
    homeserver asks for (mautrix/python#135)."""

    async def _send(
        self, method: Method, url: Any, content: Any, query_params: Any, headers: Any
    ) -> tuple[Any, ClientResponse]:
        request = self.session.request(
            str(method), url, data=content, params=query_params, headers=headers
        )
        async with request as response:
            text = await _text(response)
            if not 200 <= response.status < 300:
                raise error_of(response.status, response.headers, text)
            try:
                return loads(text), response
            except (ValueError, RecursionError) as error:
                raise Transient(
                    f"the homeserver answered {response.status} with something that is no JSON"
                ) from error


async def _text(response: ClientResponse) -> str:
    """The text of an answer. Raises Transient where it has more than MAX_ANSWER bytes."""
    data = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        data += chunk
        if len(data) > MAX_ANSWER:
            raise Transient(f"the homeserver's answer has more than {MAX_ANSWER} bytes")
    return data.decode("utf-8", "replace")


def error_of(status: int, headers: Any, text: str) -> Transient | HomeserverError:
    try:
        body = loads(text)
    except (ValueError, RecursionError):
        body = {}
    body = body if isinstance(body, dict) else {}
    code, reason = str(body.get("errcode", "")), str(body.get("error", text[:200]))
    if status == 429:
        delay = headers.get("Retry-After")
        milliseconds = body.get("retry_after_ms")
        given = milliseconds if isinstance(milliseconds, int) and milliseconds > 0 else 1000
        seconds = float(delay) if delay and re.fullmatch("[0-9]{1,6}", delay) else given / 1000
        return Transient(f"the homeserver asks for patience: {reason}", retry_after=seconds)
    if status == 401 or (not code and status != 413):
        # the homeserver temporarily lost our registration, or the answer is from a proxy
        return Transient(f"the homeserver answered {status}: {reason}")
    error = HomeserverError(status, code, reason)
    if error.is_code(*LIMITS):
        return Transient(f"a limit of the homeserver is reached: {reason}", retry_after=60.0)
    if status >= 500:
        return Transient(f"the homeserver answered {status}: {reason}")
    return error


class Client:
    """Sends requests as the bot or a ghost. Raises Transient when the homeserver does not answer,
    Permanent (HomeserverError) when it refuses."""

    def __init__(self, url: str, token: str, bot: str) -> None:
        self._url, self._token, self.bot = url, token, bot
        self._session: ClientSession | None = None
        self.away_since: float | None = None
        self._troubles: dict[str, tuple[str, float]] = {}

    @property
    def troubles(self) -> dict[str, str]:
        """What does not work at the homeserver now, by part, though it answers. What went wrong
        only once, and was not tried again, is forgotten after a while."""
        now = time.monotonic()
        return {part: text for part, (text, at) in self._troubles.items() if now - at < LASTS}

    def note_trouble(self, part: str, text: str) -> None:
        self._troubles[part] = text, time.monotonic()

    @contextlib.contextmanager
    def watched(self, part: str, *kinds: type[BridgeError]) -> Iterator[None]:
        """Note an error of one of `kinds` in `troubles`, until the part works again: another error
        is the answer of a part that works."""
        try:
            yield
        except kinds as error:
            self.note_trouble(part, str(error))
            raise
        except HomeserverError:
            self._troubles.pop(part, None)
            raise
        self._troubles.pop(part, None)

    async def start(self) -> None:
        self._session = ClientSession(connector=TCPConnector(limit=32))
        self._api = _Api(self._url, self._token, client_session=self._session)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: Method,
        path: str,
        content: Any = None,
        *,
        as_user: str | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> Any:
        """Send one request as `as_user` (the bot when None). `path` must be quoted already;
        `timeout` in seconds."""
        parameters = {"user_id": as_user or self.bot, **(query or {})}
        try:
            # not wait_for: before Python 3.12 it may swallow a cancellation
            async with asyncio.timeout(timeout):
                answer = await self._api.request(
                    method, path, content, query_params=parameters, headers=dict(headers or {})
                )
        except (MatrixConnectionError, OSError, TimeoutError) as error:
            self.away_since = self.away_since or asyncio.get_running_loop().time()
            raise Transient(f"the homeserver at {self._url} does not answer: {error}") from error
        self.away_since = None
        return answer

    async def public(self, path: str) -> Any:
        """The JSON that a GET without our token gets; None where the server gives none. Raises
        Transient when it does not answer."""
        assert self._session is not None
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                self._session.get(f"{self._url}/{path}") as response,
            ):
                text = await _text(response)
                return loads(text) if response.status == 200 else None
        except (ClientError, OSError, TimeoutError) as error:
            raise Transient(f"the homeserver at {self._url} does not answer: {error}") from error
        except (ValueError, RecursionError):
            return None


def quoted(part: str) -> str:
    """Percent-encode one path segment."""
    return quote(part, safe="")
