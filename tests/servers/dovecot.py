"""A private Dovecot on 127.0.0.1: IMAP, IMAPS with a CA of its own, LMTP."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import grp
import os
import pwd
import signal
import subprocess
import time

from bridge.demo.ports import free_ports


def make_certs(d: str, host: str = "localhost", ip: str = "127.0.0.1") -> None:
    """ca.pem (trust this one), server.pem (leaf), server.key - openssl 3 commands."""

    def run(*a: str) -> None:
        subprocess.run(
            ["openssl", *a],
            cwd=d,
            check=True,
            timeout=30,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    with open(os.path.join(d, "ext.cnf"), "w") as f:
        f.write(
            "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\n"
            "extendedKeyUsage=serverAuth\n"
            f"subjectAltName=DNS:{host},IP:{ip}\n"
        )
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    ca = ["-addext", "basicConstraints=critical,CA:TRUE",
          "-addext", "keyUsage=critical,keyCertSign,cRLSign"]  # fmt: skip
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
        "-subj", "/CN=Test CA", *ca)  # fmt: skip
    run("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", f"/CN={host}")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-CAcreateserial", "-out", "server.pem", "-days", "30", "-extfile", "ext.cnf")  # fmt: skip


CONF = """\
base_dir = {run}
state_dir = {state}
log_path = {log}
auth_verbose = yes
protocols = imap lmtp
listen = 127.0.0.1
instance_name = test-{imap_port}
default_internal_user = {int_user}
default_internal_group = {int_group}
default_login_user = {login_user}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{mail}/%u/Maildir
mail_uid = {mail_uid}
mail_gid = {mail_gid}
mail_home = {mail}/%u
mail_fsync = never
maildir_very_dirty_syncs = no
mailbox_list_index = yes

ssl = yes
ssl_cert = <{certs}/server.pem
ssl_key = <{certs}/server.key
ssl_min_protocol = TLSv1.2

disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0 secs
auth_username_format = %Lu
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {users}
}}
userdb {{
  driver = static
  args = uid={mail_uid} gid={mail_gid} home={mail}/%u
}}

namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
}}

protocol imap {{
  mail_max_userip_connections = 1000
  imap_idle_notify_interval = 2 mins
}}
protocol lmtp {{
  auth_username_format = %Lu
}}

# LMTP / IMAP listeners
service imap-login {{
{login_chroot}  inet_listener imap {{
    address = 127.0.0.1
    port = {imap_port}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps_port}
    ssl = yes
  }}
  service_count = 0        # one high-performance login process, no fork per login
  process_min_avail = 1
  client_limit = 2000
}}
service imap {{
  process_limit = 1000
  process_min_avail = 1
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0              # no growing delay after failed logins from one IP
  }}
{anvil_chroot}  client_limit = 3100      # silences the "anvil client_limit too low" warning
}}
service auth {{
  client_limit = 8100
}}
{extra}
"""

# a non-root master cannot chroot or switch users
ROOTLESS = """\
service stats {
  chroot =
}
service ipc {
  chroot =
}
"""


class DovecotServer:
    def __init__(self, base: str, users: dict[str, str], extra: str = "") -> None:
        self.base = os.path.abspath(base)
        self.users = dict(users)
        self.extra = extra
        self.imap_port, self.imaps_port, self.lmtp_port = free_ports(3)
        self.proc: asyncio.subprocess.Process | None = None
        self.conf = os.path.join(self.base, "dovecot.conf")
        self.log = os.path.join(self.base, "dovecot.log")
        self.mail = os.path.join(self.base, "mail")
        self.certs = os.path.join(self.base, "certs")
        self.ca_file = os.path.join(self.certs, "ca.pem")

    def write_users(self) -> None:
        # re-read automatically by dovecot when the mtime changes
        path = os.path.join(self.base, "users")
        with open(path, "w") as f:
            for u, p in self.users.items():
                # user:password:uid:gid:gecos:home:shell:extra ; ':' would end the
                # password field, so use the base64 encoding suffix of the scheme
                # (simple passwords may be written as {PLAIN}secret)
                b64 = base64.b64encode(p.encode()).decode()
                f.write(f"{u}:{{PLAIN.b64}}{b64}::::::\n")
        os.chmod(path, 0o644)

    def setup(self) -> None:
        for d in (
            self.base,
            self.mail,
            self.certs,
            os.path.join(self.base, "run"),
            os.path.join(self.base, "state"),
        ):
            os.makedirs(d, exist_ok=True)
        # unix socket paths are limited to ~107 bytes
        assert len(os.path.join(self.base, "run")) < 70, "base dir path too long"
        if not os.path.exists(self.ca_file):
            make_certs(self.certs)
        self.write_users()
        root = os.geteuid() == 0
        if root:
            # mail process must not be root: give the mail tree to another uid,
            # every parent directory must be searchable (o+x) for it
            mu, mg = "nobody", "nogroup"
            os.chown(self.mail, pwd.getpwnam(mu).pw_uid, grp.getgrnam(mg).gr_gid)
            iu, ig, lu = "dovecot", "dovecot", "dovenull"
        else:
            mu = pwd.getpwuid(os.geteuid()).pw_name
            mg = grp.getgrgid(os.getegid()).gr_name
            iu, ig, lu = mu, mg, mu
        self.mail_user = mu
        with open(self.conf, "w") as f:
            f.write(
                CONF.format(
                    run=os.path.join(self.base, "run"),
                    state=os.path.join(self.base, "state"),
                    log=self.log,
                    mail=self.mail,
                    certs=self.certs,
                    users=os.path.join(self.base, "users"),
                    mail_uid=mu,
                    mail_gid=mg,
                    int_user=iu,
                    int_group=ig,
                    login_user=lu,
                    imap_port=self.imap_port,
                    imaps_port=self.imaps_port,
                    lmtp_port=self.lmtp_port,
                    login_chroot="" if root else "  chroot =\n",
                    anvil_chroot="" if root else "  chroot =\n",
                    extra=self.extra if root else ROOTLESS + self.extra,
                )
            )

    async def start(self, timeout: float = 60.0) -> None:
        self.setup()
        with open(os.path.join(self.base, "stderr.log"), "ab") as err:
            self.proc = await asyncio.create_subprocess_exec(
                "/usr/sbin/dovecot",
                "-F",
                "-c",
                self.conf,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=err,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        while True:
            if self.proc.returncode is not None:
                raise RuntimeError(
                    f"dovecot exited {self.proc.returncode}, see {self.base}/stderr.log"
                )
            try:
                r, w = await asyncio.wait_for(
                    asyncio.open_connection("127.0.0.1", self.imap_port), 2
                )
                line = await asyncio.wait_for(r.readline(), 2)
                w.close()
                if line.startswith(b"* OK"):
                    return
            except (TimeoutError, OSError):
                pass
            if time.monotonic() > deadline:
                raise TimeoutError("dovecot not ready; see " + self.log)
            await asyncio.sleep(0.02)

    async def stop(self, timeout: float = 10.0) -> None:
        if self.proc is None:
            return
        if self.proc.returncode is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.proc.wait(), timeout)
            except TimeoutError:
                os.killpg(self.proc.pid, signal.SIGKILL)  # own session: only our children
                await self.proc.wait()
        self.proc = None

    async def doveadm(self, *args: str, timeout: float = 60.0) -> str:
        p = await asyncio.create_subprocess_exec(
            "/usr/bin/doveadm",
            "-c",
            self.conf,
            *args,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(p.communicate(), timeout)
        if p.returncode:
            raise RuntimeError(f"doveadm {args}: rc={p.returncode}: {out.decode()}")
        return out.decode()

    # --- helpers
    async def kick(self, user: str) -> None:
        with contextlib.suppress(RuntimeError):  # rc=68: no such session
            await self.doveadm("kick", user)

    async def expunge(self, user: str, mailbox: str, *query: str) -> None:
        """query e.g. 'uid','3'  |  'header','message-id','<x>'  |  'all'"""
        await self.doveadm("expunge", "-u", user, "mailbox", mailbox, *query)

    async def change_uidvalidity(self, user: str, mailbox: str, value: int) -> None:
        """UIDs are kept, only UIDVALIDITY changes (existing sessions must be kicked)."""
        await self.doveadm("mailbox", "update", "-u", user, "--uid-validity", str(value), mailbox)

    def maildir(self, user: str, mailbox: str = "INBOX") -> str:
        d = os.path.join(self.mail, user, "Maildir")
        return d if mailbox == "INBOX" else os.path.join(d, "." + mailbox)

    async def reset_uids(self, user: str, mailbox: str = "INBOX") -> None:
        """Hard variant: new UIDVALIDITY *and* UIDs renumbered from 1."""
        await self.kick(user)
        d = self.maildir(user, mailbox)
        for n in os.listdir(d):
            if n == "dovecot-uidlist" or n.startswith("dovecot.index"):
                os.unlink(os.path.join(d, n))


OAUTH2 = """
auth_mechanisms = plain login xoauth2 oauthbearer
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {file}
}}
"""
INTROSPECTION = """\
introspection_url = {url}/introspect
introspection_mode = auth
active_attribute = active
active_value = yes
username_attribute = username
"""


def oauth2_server(base: str, users: dict[str, str], provider: str) -> DovecotServer:
    """A Dovecot that takes the tokens of an authorization server, whose URL is `provider`."""
    settings = os.path.join(base, "oauth2.conf")
    with open(settings, "w") as f:
        f.write(INTROSPECTION.format(url=provider))
    return DovecotServer(os.path.join(base, "d"), users, OAUTH2.format(file=settings))
