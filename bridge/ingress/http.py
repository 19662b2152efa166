"""Takes mail that providers and scripts post to us. Path and password are judged before the body,
a signature before anything is parsed further; 2xx is answered only after the commit."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

import structlog
from aiohttp import web

from bridge.desk import addresses
from bridge.desk.admin import hooks
from bridge.desk.desk import Desk
from bridge.desk.inbound import pushed
from bridge.desk.inbound.pushed import Pushed
from bridge.ingress.posted import Broken, Forged, Posted, Received, Unusable
from bridge.ingress.providers import KINDS, PostKind, of_rails
from bridge.ingress.sns import AmazonSns
from bridge.mail.limits import size
from bridge.mail.parse import recipients, senders
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
FAULT = "Nothing was taken; send it again later.\n"


@dataclass(frozen=True, slots=True)
class Way:
    """Where a request came in: which kind, and for which inbox."""

    kind: PostKind
    name: str
    """Of the kind."""
    inbox: InboxId | None
    """None at Rails' addresses, where the recipient says it."""
    key: str
    user: str
    password: str


class TooLarge(Exception):
    """The body is over the limit."""


class HttpIngress:
    """The addresses to which mail is posted: one of each inbox, and Rails'."""

    def __init__(self, desk: Desk, now: Callable[[], float] = time.time) -> None:
        """`now` returns epoch seconds."""
        self._desk, self._now, self.amazon = desk, now, AmazonSns()
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
        except TooLarge as error:
            assert way is not None
            await self._tell(way, str(error))
            return web.Response(status=way.kind.too_large, text="That is too large.\n")
        except (Forged, pushed.KeyReused) as error:
            assert way is not None
            await self._tell(way, f"a post was not proven: {error}")
            return _unauthorized("That is not proven.\n")
        except Unusable as error:
            assert way is not None
            await self._tell(way, str(error))
            return web.Response(status=way.kind.unusable, text=f"{error}.\n")
        except (BridgeError, Broken, OSError, TimeoutError) as error:
            log.warning("post not taken", way=_named(way), error=str(error))
        except Exception:
            log.exception("post not taken", way=_named(way))
        return web.Response(status=503, text=FAULT, headers={"Retry-After": "60"})

    async def _tell(self, way: Way, text: str) -> None:
        """Tell the admins why a post was not taken, once a day."""
        log.warning("post refused", way=_named(way), reason=text)
        with contextlib.suppress(BridgeError):  # it is said again by the next one
            await pushed.remark(self._desk, way.inbox, f"{way.kind.label}: {text}.")

    async def _here(self, request: web.Request, way: Way) -> web.Response:
        return web.Response(text="Mail is taken here by POST.\n")

    async def _way(self, request: web.Request) -> Way | None:
        rest = "/" + request.match_info["rest"].rstrip("/")
        secret = request.match_info.get("secret")
        if secret is None:
            name, ingress = of_rails(rest), self._desk.settings.ingress
            if name is None:
                return None
            keys = {kind: key.get_secret_value() for kind, key in ingress.keys.items()}
            password = ingress.password.get_secret_value()
            return Way(KINDS[name], name, None, keys.get(name, ""), RAILS_USER, password)  # type: ignore[call-overload]  # any kind may lack one
        hook = await hooks.of_secret(self._desk, secret)
        if hook is None or KINDS[hook.http.kind].path != rest:
            return None
        kind, key = KINDS[hook.http.kind], hook.http.key.get_secret_value()
        return Way(kind, hook.http.kind, hook.inbox, key, hooks.USER, hook.password)

    async def _taken(self, request: web.Request, way: Way) -> web.Response:
        kind = way.kind
        by_password = not kind.key or (not way.key and (kind.key_is_optional or not way.inbox))
        if by_password and not _is_basic(request, way.user, way.password):
            return _unauthorized("A user and a password are wanted.\n")
        if kind.raw_only and request.content_type.casefold() != "message/rfc822":
            return web.Response(status=415, text="Content-Type: message/rfc822 is wanted.\n")
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
            total = await self._spooled(request, spool)
            large = self._large if total > IN_MEMORY else contextlib.nullcontext()
            async with large:  # until it is stored, so that few are in memory
                spool.seek(0)
                posted = Posted(
                    request.headers.get("Content-Type", ""),
                    {name.casefold(): value for name, value in request.headers.items()},
                    dict(request.query), await asyncio.to_thread(spool.read),
                    self._urls(request, way),
                )  # fmt: skip
                if not by_password and (answer := await self._proven(posted, way)) is not None:
                    return answer
                await self._store(way, await asyncio.to_thread(kind.read, posted))
        return web.Response(status=kind.done)

    async def _proven(self, posted: Posted, way: Way) -> web.Response | None:
        """Raises Forged where the request is not the provider's. An answer where it asks for
        something else than taking a mail."""
        if way.name == "mandrill" and not way.key and _is_empty_trial(posted):
            return web.Response()  # Mandrill shows its key only after that
        if not way.key:
            await self._tell(way, f"{way.kind.key} is not set yet, so nothing is taken")
            raise Broken("there is no key yet")
        if way.name == "ses":
            return web.Response() if await self.amazon.proves_no_mail(posted, way.key) else None
        assert way.kind.verify is not None
        await asyncio.to_thread(way.kind.verify, posted, way.key, self._now())
        return None

    async def _spooled(self, request: web.Request, spool: IO[bytes]) -> int:
        """Write the body into a file; returns its bytes. Raises TooLarge, Broken where its end is
        missing."""
        limit = self._desk.settings.limits.mail_size
        most, total = 3 * limit + IN_MEMORY, 0
        too_large = TooLarge(f"a post of over {size(most)} was refused, for limits.mail_size")
        if (request.content_length or 0) > most:
            raise too_large
        while True:
            async with asyncio.timeout(SILENT):
                piece = await request.content.readany()
            if not piece:
                break
            total += len(piece)
            if total > most:
                raise too_large
            if total > IN_MEMORY:
                await asyncio.to_thread(spool.write, piece)
            else:
                spool.write(piece)
        is_packed = "Content-Encoding" in request.headers  # then the length is another one
        if request.content_length is not None and total < request.content_length and not is_packed:
            raise Broken("the end is missing")
        return total

    async def _store(self, way: Way, read: Sequence[Received]) -> None:
        mails = []
        for each in read:
            try:
                self._refuse_large(each)
                inboxes = [way.inbox] if way.inbox is not None else await self._owners(each)
            except (TooLarge, Unusable) as error:
                if not way.kind.in_batches:
                    raise
                await self._tell(way, str(error))
                continue
            key = each.key if way.kind.binds_ids else ""
            mail = Pushed(
                each.raw, each.recipients, each.sender, key, each.verdict,
                is_stamped=way.kind.raw_only,
            )  # fmt: skip
            mails.append((inboxes, mail))
        if mails:
            await pushed.take(self._desk, f"http:{way.name}", mails)
        for each in read:
            if each.remark:
                remark = f"{way.kind.label}: {each.remark}"
                await pushed.remark(self._desk, way.inbox, remark)

    def _refuse_large(self, mail: Received) -> None:
        limit = self._desk.settings.limits.mail_size
        if len(mail.raw) > limit:
            who = ", ".join(senders(mail.raw)) or "nobody named"
            raise TooLarge(
                f"a mail of {who} with {size(len(mail.raw))} was refused, for limits.mail_size in"
                f" config.yaml is {size(limit)}"
            )

    async def _owners(self, mail: Received) -> list[InboxId]:
        """The inboxes of a mail at Rails' addresses. Raises Unusable where none takes it."""
        found = await addresses.owners(self._desk, mail.recipients)
        found = found or await addresses.owners(self._desk, recipients(mail.raw))
        others = self._desk.settings.ingress.others_to
        if not found and others in self._desk.settings.inboxes:
            return [others]
        if not found:
            raise Unusable(f"no inbox has the address {', '.join(mail.recipients) or 'it is to'}")
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
