"""Takes mail that providers and scripts post to us. Path and password are judged before the body,
a signature before anything is parsed further; 2xx is answered only after the commit."""

from __future__ import annotations

import asyncio
import base64
import hmac
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp
import structlog
from aiohttp import web

from bridge.config.inbox import Http
from bridge.desk.admin import hooks
from bridge.desk.desk import Desk
from bridge.desk.inbound import pushed
from bridge.desk.inbound.pushed import Pushed
from bridge.ingress import signatures
from bridge.ingress.posted import Broken, Forged, Posted, Received, Unusable
from bridge.ingress.providers import KINDS, PostKind, of_rails
from bridge.mail.limits import size
from bridge.mail.parse import recipients
from bridge.model import BridgeError, InboxId

log = structlog.get_logger("ingress")

RAILS = "/rails/action_mailbox"
RAILS_USER = "actionmailbox"
IN_MEMORY = 1 << 20
"""Bytes of a body that are kept in memory while it comes; more are in a file."""
LARGE_AT_ONCE = 2
"""How many bodies larger than that are read at once."""
SILENT = 60.0
"""Seconds without a byte after which a request is given up."""
CERTIFICATE = 64 * 1024
FAULT = "Nothing was taken; send it again later.\n"
Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Way:
    """Where a request came in: which kind, and for which inbox."""

    kind: PostKind
    name: str
    """Of the kind."""
    inbox: InboxId | None
    """None at Rails' addresses, where the recipient says it."""
    http: Http | None
    user: str
    password: str


class TooLarge(Exception):
    """The body is over the limit."""


async def fetch(url: str) -> bytes:
    """The start of what is at an address of Amazon SNS."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.get(url, allow_redirects=False) as answer,
    ):
        answer.raise_for_status()
        return await answer.content.read(CERTIFICATE)


class HttpIngress:
    """The addresses to which mail is posted: one of each inbox, and Rails'."""

    def __init__(
        self, desk: Desk, now: Callable[[], float] = time.time, fetch: Fetch = fetch
    ) -> None:
        """`now` returns epoch seconds; `fetch` gets what is at an address of Amazon SNS."""
        self._desk, self._now, self.fetch = desk, now, fetch
        self._certificates: dict[str, bytes] = {}
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    @property
    def paths(self) -> Sequence[str]:
        """The paths of both kinds, with and without a slash at the end: nobody is redirected."""
        hook = r"/in/{secret:[\w-]{20,100}}/{rest:.*}"
        return (hook, f"{RAILS}/{{rest:.*}}")

    async def there(self, request: web.Request) -> web.Response:
        """GET and HEAD: providers look whether an address is there before they use it."""
        return await self._answer(request, self._here)

    async def take(self, request: web.Request) -> web.Response:
        """POST: take the mail."""
        return await self._answer(request, self._taken)

    async def _answer(
        self, request: web.Request, act: Callable[[web.Request, Way], Awaitable[web.Response]]
    ) -> web.Response:
        """What `act` answers, or why it does not. What is a fault of ours comes again."""
        way = None
        try:
            way = await self._way(request)
            if way is None:
                return web.Response(status=404, text="There is nothing here.\n")
            return await act(request, way)
        except TooLarge:
            assert way is not None
            return web.Response(status=way.kind.too_large, text="That is too large.\n")
        except (Forged, pushed.KeyReused) as error:
            log.warning("post refused", way=_named(way), reason=str(error))
            return _unauthorized("That is not proven.\n")
        except Unusable as error:
            assert way is not None
            log.warning("post unusable", way=_named(way), reason=str(error))
            if way.inbox is not None:
                await pushed.remark(self._desk, way.inbox, f"{way.kind.label}: {error}.")
            return web.Response(status=way.kind.unusable, text=f"{error}.\n")
        except (BridgeError, Broken, OSError, TimeoutError) as error:
            log.warning("post not taken", way=_named(way), error=str(error))
        except Exception:
            log.exception("post not taken", way=_named(way))
        return web.Response(status=503, text=FAULT, headers={"Retry-After": "60"})

    async def _here(self, request: web.Request, way: Way) -> web.Response:
        return web.Response(text="Mail is taken here by POST.\n")

    async def _way(self, request: web.Request) -> Way | None:
        rest = "/" + request.match_info["rest"].rstrip("/")
        secret = request.match_info.get("secret")
        if secret is None:
            name = of_rails(rest)
            password = self._desk.settings.ingress.password.get_secret_value()
            if name is None:
                return None
            return Way(KINDS[name], name, None, None, RAILS_USER, password)
        hook = await hooks.of_secret(self._desk, secret)
        if hook is None or KINDS[hook.http.kind].path != rest:
            return None
        kind = KINDS[hook.http.kind]
        return Way(kind, hook.http.kind, hook.inbox, hook.http, hooks.USER, hook.password)

    async def _taken(self, request: web.Request, way: Way) -> web.Response:
        kind, key = way.kind, way.http.key.get_secret_value() if way.http is not None else ""
        by_password = way.inbox is None or not kind.key or (kind.key_is_optional and not key)
        if by_password and not _is_basic(request, way.user, way.password):
            return _unauthorized("A user and a password are wanted.\n")
        if kind.raw_only and request.content_type.casefold() != "message/rfc822":
            return web.Response(status=415, text="Content-Type: message/rfc822 is wanted.\n")
        body = await self._body(request)
        posted = Posted(
            request.headers.get("Content-Type", ""),
            {name.casefold(): value for name, value in request.headers.items()},
            dict(request.query), body, self._urls(request, way),
        )  # fmt: skip
        if not by_password and (answer := await self._proven(posted, way, key)) is not None:
            return answer
        large = len(body) > IN_MEMORY
        read = await asyncio.to_thread(kind.read, posted) if large else kind.read(posted)
        await self._store(way, read)
        return web.Response(status=kind.done)

    async def _proven(self, posted: Posted, way: Way, key: str) -> web.Response | None:
        """Raises Forged where the request is not the provider's. An answer where it asks for
        something else than taking a mail."""
        if way.name == "mandrill" and not key and _is_empty_trial(posted):
            return web.Response()  # Mandrill shows its key only after that
        if not key:
            raise Forged(f"{way.kind.key} is not set yet")
        if way.name == "ses":
            return await self._of_sns(posted, key)
        assert way.kind.verify is not None
        way.kind.verify(posted, key, self._now())
        return None

    async def _of_sns(self, posted: Posted, topic: str) -> web.Response | None:
        message = posted.json()
        url = str(message.get("SigningCertURL"))
        if not signatures.is_of_sns(url):
            raise Forged("its certificate is not at Amazon's")
        if url not in self._certificates:
            try:
                self._certificates[url] = await self.fetch(url)
            except (aiohttp.ClientError, ValueError) as error:
                raise Broken(f"no certificate: {type(error).__name__}") from error
        signatures.sns(posted, topic, self._certificates[url])
        if message.get("Type") != "SubscriptionConfirmation":
            return None
        if not signatures.is_of_sns(message.get("SubscribeURL")):
            raise Forged("its address for confirming is not at Amazon's")
        try:
            await self.fetch(message["SubscribeURL"])
        except (aiohttp.ClientError, ValueError) as error:
            raise Broken(f"not confirmed: {type(error).__name__}") from error
        return web.Response()

    async def _body(self, request: web.Request) -> bytes:
        """The whole body. Raises TooLarge; OSError where it ends early."""
        most = 3 * self._desk.settings.limits.mail_size + IN_MEMORY
        if (request.content_length or 0) > most:
            raise TooLarge
        total = 0
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
            while True:
                async with asyncio.timeout(SILENT):
                    piece = await request.content.readany()
                if not piece:
                    break
                total += len(piece)
                if total > most:
                    raise TooLarge
                if total > IN_MEMORY:
                    await asyncio.to_thread(spool.write, piece)
                else:
                    spool.write(piece)
            if request.content_length is not None and total < request.content_length:
                raise Broken("the end is missing")
            spool.seek(0)
            if total <= IN_MEMORY:
                return spool.read()
            async with self._large:
                return await asyncio.to_thread(spool.read)

    async def _store(self, way: Way, read: Sequence[Received]) -> None:
        limit = self._desk.settings.limits.mail_size
        mails = []
        for each in read:
            if len(each.raw) > limit:
                if way.inbox is not None:
                    text = f"a mail of {size(len(each.raw))} was refused, for limits.mail_size in"
                    text = f"{text} config.yaml is {size(limit)}."
                    await pushed.remark(self._desk, way.inbox, text)
                raise TooLarge
            inboxes = [way.inbox] if way.inbox is not None else self._owners(each)
            mails.append((inboxes, Pushed(
                each.raw, each.recipients, each.sender, each.key, each.verdict
            )))  # fmt: skip
        if mails:
            await pushed.take(self._desk, f"http:{way.name}", mails)
        for each in read:
            if each.remark and way.inbox is not None:
                await pushed.remark(self._desk, way.inbox, f"{way.kind.label}: {each.remark}")

    def _owners(self, mail: Received) -> list[InboxId]:
        """The inboxes of a mail at Rails' addresses. Raises Unusable where none takes it."""
        found = pushed.owners(self._desk, mail.recipients)
        found = found or pushed.owners(self._desk, recipients(mail.raw))
        others = self._desk.settings.ingress.others_to
        if not found and others in self._desk.settings.inboxes:
            return [others]
        if not found:
            raise Unusable("no inbox has that recipient")
        return found

    def _urls(self, request: web.Request, way: Way) -> tuple[str, ...]:
        """The addresses under which the provider may know ours: with and without a slash at the
        end, and user and password."""
        public = self._desk.settings.public_url
        scheme, _, host = public.partition("://")
        found = []
        for base in (public, f"{scheme}://{way.user}:{way.password}@{host}"):
            path = request.rel_url.raw_path.rstrip("/")
            query = f"?{request.rel_url.raw_query_string}" if request.rel_url.query_string else ""
            found += [f"{base}{path}{query}", f"{base}{path}/{query}"]
        return tuple(found)


def _named(way: Way | None) -> str:
    return f"{way.name} {way.inbox or 'rails'}" if way is not None else ""


def _is_basic(request: web.Request, user: str, password: str) -> bool:
    """Whether the request gives this user and password, and there is a password."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    wanted = base64.b64encode(f"{user}:{password}".encode())
    if kind.casefold() == "bearer":
        wanted = password.encode()
    return bool(password) and hmac.compare_digest(wanted, given.strip().encode())


def _is_empty_trial(posted: Posted) -> bool:
    return [(name, value.strip()) for name, value in posted.fields()] == [
        ("mandrill_events", b"[]")
    ]


def _unauthorized(text: str) -> web.Response:
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Basic realm="Action Mailbox"'}
    return web.Response(status=401, text=text, headers=headers)
