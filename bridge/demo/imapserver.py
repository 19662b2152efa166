"""The demo's IMAP server: pymap with maildirs, patched where it would lose or change mail.

pymap stores mails with other line ends than it was given, makes empty copies, gives a mail two
UIDs when appends race, and leaves locks behind after kill -9. Mailboxes must be exact here: the
demo and the tests judge the bridge by them.
"""

from __future__ import annotations

import asyncio
import contextvars
import glob
import os
import tempfile
from argparse import Namespace
from datetime import datetime
from mailbox import MaildirMessage
from uuid import uuid4

from proxyprotocol.result import ProxyResultLocal
from proxyprotocol.sock import SocketInfo
from pymap.backend import maildir as maildir_backend
from pymap.backend.maildir import Config, Login, MaildirBackend
from pymap.backend.maildir import mailbox as mailbox_mod
from pymap.backend.maildir.mailbox import LoadedMessage, MailboxData, MailboxSet, Maildir, Message
from pymap.backend.maildir.uidlist import Record, UidList
from pymap.backend.maildir.users import PasswordsFile, UsersFile
from pymap.concurrent import Subsystem
from pymap.imap import IMAPServer
from pymap.mime import MessageContent
from pymap.parsing.specials import FetchRequirement
from pymap.user import Passwords
from pysasl.hashing import BuiltinHash
from pysasl.prep import saslprep

# shadow field: $pbkdf2-sha256$<rounds>$<b64 salt>$<b64 digest>. Default is 500000
# rounds (0.2 s CPU per login). pysasl's Cleartext() breaks on non-ASCII passwords.
HASH = BuiltinHash(rounds=1)


class _Maildir(Maildir):
    """Byte-exact storage. Stock pymap re-serialises the mail through the email
    package and stores LF line ends (RFC822.SIZE and BODY[] differ from APPEND)."""

    def _dump_message(self, message, target, mangle_from_=False):
        raw = getattr(message, "raw_bytes", None)
        if raw is not None:
            target.write(raw)
        else:
            super()._dump_message(message, target, mangle_from_)

    def raw(self, key: str) -> bytes:
        with open(self._join(self._lookup(key)), "rb") as f:
            return f.read()


class _Message(Message):
    __slots__ = ()

    @classmethod
    def to_maildir(cls, append_msg, recent, maildir_flags):
        m = MaildirMessage()  # no parsing of the body
        m.raw_bytes = bytes(append_msg.literal)
        m.set_flags(maildir_flags.to_maildir(append_msg.flag_set))
        m.set_subdir("new" if recent else "cur")
        m.set_date((append_msg.when or datetime.now()).timestamp())
        return m

    async def load_content(self, requirement):
        if (
            self._key is None
            or self._maildir is None
            or requirement.has_none(FetchRequirement.CONTENT)
        ):
            return LoadedMessage(self, requirement, None)
        try:
            raw = self._maildir.raw(self._key)
        except (KeyError, FileNotFoundError):
            return LoadedMessage(self, requirement, None)
        return LoadedMessage(self, requirement, MessageContent.parse(raw))


class _MailboxData(MailboxData):
    idle_poll = 0.2  # stock: 1.0 s

    async def update_selected(self, selected, *, wait_on=None):
        if wait_on is not None:
            await wait_on.wait(timeout=self.idle_poll)
        return await super().update_selected(selected)

    async def copy(self, uid, destination, *, recent=False):
        # stock COPY yields an EMPTY message (MOVE is fine): copy the raw bytes
        try:
            record, meta = await self._get_maildir_msg(uid)
            raw = self._maildir.raw(record.key)
        except (KeyError, FileNotFoundError):
            return None
        m = MaildirMessage()
        m.raw_bytes = raw
        m.set_flags(meta.get_flags())
        m.set_subdir("new" if recent else "cur")
        m.set_date(meta.get_date())
        async with destination.messages_lock.write_lock():
            key = destination._maildir.add(m)
        async with UidList.with_write(destination._path) as uidl:
            rec = Record(uidl.next_uid, record.fields, key + ":" + m.get_info())
            uidl.next_uid += 1
            uidl.set(rec)
        return rec.uid


class _MailboxSet(MailboxSet):
    """Creates missing parent folders, and answers NO when a folder exists already. Without it,
    such a CREATE would raise an unhandled error and drop the connection."""

    async def add_mailbox(self, name):
        parts = name.split(self.delimiter)
        if os.path.isdir(self._layout.get_path(name, self.delimiter)):
            raise ValueError(name)  # -> NO [ALREADYEXISTS]
        for i in range(1, len(parts)):
            parent = self.delimiter.join(parts[:i])
            if not os.path.isdir(self._layout.get_path(parent, self.delimiter)):
                await super().add_mailbox(parent)
        return await super().add_mailbox(name)


class _Passwords(Passwords):
    async def check_password(self, identity, credentials):
        # stock: in a thread, whose coroutine is never awaited when the server stops meanwhile
        return credentials.verify(identity)


maildir_backend.Passwords = _Passwords
maildir_backend.MailboxSet = _MailboxSet  # used by Identity.new_session()
maildir_backend.Maildir = _Maildir
mailbox_mod.Maildir = _Maildir
mailbox_mod.Message = _Message
mailbox_mod.MailboxData = _MailboxData


class PymapServer:
    def __init__(
        self,
        base_dir: str,
        users: dict[str, str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        concurrency: int = 64,
        max_append_len: int = 200_000_000,
    ) -> None:
        self.base_dir = os.path.abspath(base_dir)
        self.users = dict(users)
        self.host, self.port = host, port
        self.concurrency = concurrency
        self.max_append_len = max_append_len
        self._server: asyncio.AbstractServer | None = None
        self._conns: set[asyncio.Task] = set()
        self.backend: MaildirBackend | None = None
        self.config: Config | None = None

    # passwd(5)/shadow(5)-like files in base_dir, read anew at every login
    def _write_users(self) -> None:
        os.makedirs(self.base_dir, exist_ok=True)

        def esc(s: str) -> str:
            return s.replace(":", "\\:")

        with open(os.path.join(self.base_dir, UsersFile.FILE_NAME), "w") as f:
            for name in self.users:  # name:x:uid:gid:comment:home(relative):shell
                f.write(f"{esc(name)}:x::::{esc(name)}:\n")
        path = os.path.join(self.base_dir, PasswordsFile.FILE_NAME)
        with open(path, "w") as f:
            for name, pw in self.users.items():  # name:password + 7 empty fields
                f.write(f"{esc(name)}:{HASH.hash(saslprep(pw))}:::::::\n")
        os.chmod(path, 0o600)

    def _remove_stale_locks(self) -> None:
        # a kill -9 can leave *.lock behind; pymap would stall ~10 s per command
        # ("NO [TIMEOUT]") until the lock is 600 s old
        for pat in ("*.lock", "*/*.lock", "*/.*/*.lock"):
            for p in glob.glob(os.path.join(self.base_dir, pat)):
                os.unlink(p)

    async def start(self) -> None:
        self._write_users()
        self._remove_stale_locks()
        # pymap writes dovecot-uidlist to tempfile.gettempdir() and os.rename()s
        # it into the maildir: EXDEV if /tmp is another filesystem.
        if os.stat(tempfile.gettempdir()).st_dev != os.stat(self.base_dir).st_dev:
            tmp = os.path.join(self.base_dir, "tmp-pymap")
            os.makedirs(tmp, exist_ok=True)
            tempfile.tempdir = tmp  # process wide!
        os.environ.setdefault("FQDN", "localhost")  # else socket.getfqdn() per greeting
        self.config = self._configured()
        self.backend = MaildirBackend(Login(self.config), self.config)
        self._imap = IMAPServer(self.backend.login, self.config)
        # limit: StreamReader line limit (64 KiB default) = max length of one
        # command line; APPEND literals use readexactly and are not concerned
        self._server = await asyncio.start_server(
            self._connected, self.host, self.port, limit=1 << 20
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def _configured(self):
        args = Namespace(
            debug=False, passlib_cfg=None, proxy_protocol=None, inherited_sockets=None,
            host=[self.host], port=self.port, cert=None, key=None, tls=False,
            base_dir=self.base_dir, layout="++", colon=None, concurrency=self.concurrency,
        )  # fmt: skip
        parsed = {**Config.parse_args(args), "subsystem": Subsystem.for_asyncio()}
        return Config(
            args, host=self.host, port=self.port, tls_enabled=False, hash_context=HASH,
            invalid_user_sleep=0.0, reject_dnsbl=False, max_append_len=self.max_append_len,
            bad_command_limit=None, **parsed,
        )  # fmt: skip

    async def _connected(self, reader, writer):
        """One client. IMAPService.start() is not used: it runs each connection in an anonymous
        task which survives the closing of its AsyncExitStack, so stop() could not drop it."""
        self.config.apply_context()  # the subsystem is a ContextVar of the handler's context
        task = asyncio.current_task()
        self._conns.add(task)
        try:
            await self._imap(
                reader, writer,
                SocketInfo.get(writer, ProxyResultLocal(), unique_id=uuid4().bytes),
            )  # fmt: skip
        except (ConnectionError, asyncio.CancelledError, EOFError):
            pass
        finally:
            self._conns.discard(task)
            writer.close()

    async def stop(self, timeout: float = 5.0) -> None:
        if self._server is None:
            return
        self._server.close()  # stop accepting
        for t in list(self._conns):  # clients get BYE [UNAVAILABLE] + EOF
            t.cancel()
        if self._conns:
            await asyncio.wait(self._conns, timeout=timeout)
        await asyncio.wait_for(self._server.wait_closed(), timeout)
        self._server = None

    # ---- "by Python API" append: same process only, no client connection needed
    async def append(
        self,
        user: str,
        raw: bytes,
        mailbox: str = "INBOX",
        flags: tuple[bytes, ...] = (),
        when=None,
    ) -> int:
        from pymap.backend.maildir import Identity
        from pymap.parsing.message import AppendMessage
        from pymap.parsing.specials import ExtensionOptions
        from pymap.parsing.specials.flag import Flag

        async def run() -> int:
            self.config.apply_context()
            ident = Identity(self.config, self.backend.login.tokens, user, None, set())
            async with ident.new_session() as session:
                msg = AppendMessage(
                    raw, when, frozenset(Flag(f) for f in flags), ExtensionOptions.empty()
                )
                append_uid, _ = await session.append_messages(mailbox, [msg])
                return next(iter(append_uid.uids))

        return await asyncio.get_running_loop().create_task(
            run(), context=contextvars.copy_context()
        )

    def folder_path(self, user: str, mailbox: str = "INBOX") -> str:
        d = os.path.join(self.base_dir, user)
        return d if mailbox == "INBOX" else os.path.join(d, "." + mailbox.replace("/", "."))

    def set_uidvalidity(self, user: str, value: int, mailbox: str = "INBOX") -> None:
        """Change the UIDVALIDITY of a mailbox, also while the server runs; the UIDs stay the
        same. Clients see the new value at their next SELECT or STATUS."""
        path = os.path.join(self.folder_path(user, mailbox), UidList.FILE_NAME)
        with open(path, newline="") as f:
            head, rest = f.read().split("\n", 1)
        words = [f"V{value}" if w.startswith("V") else w for w in head.split()]
        with open(path, "w", newline="") as f:
            f.write(" ".join(words) + "\r\n" + rest)
