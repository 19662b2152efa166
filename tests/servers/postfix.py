"""A private Postfix on 127.0.0.1: brings mail by SMTP, LMTP or a pipe to whatever a test names."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

from bridge.demo.ports import free_ports
from tests.stage import until

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
myhostname = relay.example
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
smtputf8_enable = no
virtual_mailbox_domains = static:all
virtual_transport = {transport}
{more}
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
bounce_queue_lifetime = 0
message_size_limit = 100000000
mailbox_size_limit = 0
smtp_connection_cache_on_demand = no
"""
MASTER = """\
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
hand unix - n n - 4 pipe
  flags=Rq user={user} argv={command}
"""


class PostfixServer:
    """`transport`: where all mail goes, like `lmtp:inet:127.0.0.1:24`, or `hand:` for `command`."""

    def __init__(
        self, folder: Path, transport: str, *, command: str = "/bin/true", user: str = "nobody",
        **more: str,
    ) -> None:  # fmt: skip
        self.folder, self._transport = folder, transport
        self._command, self._user, self._more = command, user, more
        (self.port,) = free_ports(1)

    async def start(self) -> None:
        conf = self.folder / "conf"
        for path in (conf, self.folder / "queue", self.folder / "data"):
            path.mkdir(parents=True, exist_ok=True)
        shutil.chown(self.folder / "data", "postfix")
        more = "\n".join(f"{name} = {value}" for name, value in self._more.items())
        (conf / "main.cf").write_text(
            MAIN.format(folder=self.folder, transport=self._transport, more=more)
        )
        (conf / "master.cf").write_text(
            MASTER.format(port=self.port, user=self._user, command=self._command)
        )
        for name in ("dynamicmaps.cf", "postfix-files"):
            if Path(f"/etc/postfix/{name}").exists():
                shutil.copy(f"/etc/postfix/{name}", conf / name)
        await self._postfix("start")

        async def answers() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                return False
            writer.close()
            return True

        await until(answers, self.log)

    async def stop(self) -> None:
        await self._postfix("stop")

    async def flush(self) -> None:
        """Try all that waits again, now."""
        await self._postfix("flush")

    async def _postfix(self, word: str) -> None:
        command = ("/usr/sbin/postfix", "-c", str(self.folder / "conf"), word)
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{word}: {done.stderr} {self.log()}"

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text()[-3000:] if path.exists() else "no log"

    def waiting(self) -> int:
        """How many mails are in its queues."""
        queues = ("incoming", "active", "deferred", "maildrop")
        return sum(
            len(files) for name in queues for _, _, files in os.walk(self.folder / "queue" / name)
        )
