"""A temporary Synapse on SQLite, in a virtual environment of its own."""

from __future__ import annotations

import asyncio
import base64
import ctypes
import hashlib
import hmac
import json
import secrets
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import aiohttp

VERSION = "1.163.0"
LIMITS = [
    "rc_message",
    "rc_registration",
    "rc_registration_token_validity",
    "rc_admin_redaction",
    "rc_joins_per_room",
    "rc_3pid_validation",
    "rc_third_party_invite",
    "rc_media_create",
    "rc_room_creation",
    "rc_delayed_event_mgmt",
    "rc_reports",
]
PDEATHSIG = 1


async def install(venv: Path, say: Callable[[str], None], timeout: float = 900.0) -> Path:
    """The Python of a virtual environment with Synapse, which is created when it does not exist.

    Raises RuntimeError with pip's last lines when the installation fails.
    """
    python = venv.absolute() / "bin" / "python"
    ready = venv / f"synapse-{VERSION}"
    if ready.exists():
        return python
    say(f"installing Synapse {VERSION} into {venv} (once; about half a minute) …")
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(venv)],
        [str(python), "-m", "pip", "install", "-q", f"matrix-synapse=={VERSION}"],
    ):
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output = b""
        try:
            output, _ = await asyncio.wait_for(process.communicate(), timeout)
        except TimeoutError:
            process.kill()
            await process.wait()
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {output.decode()[-800:]}")
    ready.touch()
    return python


def _die_with_parent() -> None:
    """Let the kernel end the child when we die, even by kill -9."""
    ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGTERM)


def _open(path: Path) -> IO[bytes]:
    return path.open("ab")


class Synapse:
    """A Synapse with all its data in `folder`, so that it can be killed and started again."""

    def __init__(
        self,
        folder: Path,
        python: Path,
        port: int,
        *,
        server_name: str,
        registrations: list[Path],
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.folder, self._python, self._port = folder, python, port
        self.server_name = server_name
        self.url = f"http://127.0.0.1:{port}"
        self._registrations = registrations
        self._extra = extra or {}
        self._output: IO[bytes] | None = None
        self.process: asyncio.subprocess.Process | None = None

    def configure(self, **extra: Any) -> None:
        """Change keys of homeserver.yaml from the next start on."""
        self._extra |= extra

    @property
    def _secret(self) -> str:
        return hashlib.sha256(f"{self.folder}".encode()).hexdigest()

    def _config(self) -> dict[str, Any]:
        fast = {"per_second": 100_000, "burst_count": 100_000}
        in_folder = {
            "pid_file": "homeserver.pid",
            "log_config": "log.yaml",
            "media_store_path": "media",
            "signing_key_path": "signing.key",
        }
        return {
            "server_name": self.server_name,
            "public_baseurl": f"{self.url}/",
            "listeners": [
                {
                    "port": self._port,
                    "type": "http",
                    "tls": False,
                    "bind_addresses": ["127.0.0.1"],
                    "resources": [{"names": ["client"], "compress": False}],
                }
            ],
            "database": {
                "name": "sqlite3",
                "args": {"database": str(self.folder / "homeserver.db")},
            },
            **{key: str(self.folder / name) for key, name in in_folder.items()},
            "max_upload_size": "100M",
            "macaroon_secret_key": self._secret,
            "form_secret": self._secret,
            "registration_shared_secret": self._secret,
            "enable_registration": False,
            "report_stats": False,
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "federation_domain_whitelist": [],
            "presence": {"enabled": False},
            "bcrypt_rounds": 4,
            "app_service_config_files": [str(path) for path in self._registrations],
            **dict.fromkeys(LIMITS, fast),
            "rc_login": {"address": fast, "account": fast, "failed_attempts": fast},
            "rc_joins": {"local": fast, "remote": fast},
            "rc_invites": {"per_room": fast, "per_user": fast, "per_issuer": fast},
            **self._extra,
        }

    def _write(self) -> None:
        (self.folder / "media").mkdir(parents=True, exist_ok=True)
        # JSON is valid YAML
        (self.folder / "homeserver.yaml").write_text(json.dumps(self._config(), indent=1))
        log = {
            "version": 1,
            "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
            "handlers": {
                "file": {
                    "class": "logging.FileHandler",
                    "filename": str(self.folder / "homeserver.log"),
                    "formatter": "line",
                }
            },
            "root": {"level": "INFO", "handlers": ["file"]},
            "disable_existing_loggers": False,
        }
        (self.folder / "log.yaml").write_text(json.dumps(log))
        key = self.folder / "signing.key"
        if not key.exists():
            seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
            key.write_text(f"ed25519 a_{secrets.token_hex(2)} {seed}\n")

    async def start(self, timeout: float = 90.0) -> None:
        """Start Synapse and wait until it answers. Raises RuntimeError when it ends or does not
        answer in time."""
        self._write()
        output = self._output = _open(self.folder / "stdout.log")
        self.process = await asyncio.create_subprocess_exec(
            str(self._python), "-m", "synapse.app.homeserver",
            "-c", str(self.folder / "homeserver.yaml"),
            cwd=self.folder, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            preexec_fn=_die_with_parent,
        )  # fmt: skip
        deadline = time.monotonic() + timeout
        async with aiohttp.ClientSession() as http:
            while True:
                if self.process.returncode is not None or time.monotonic() > deadline:
                    text = (self.folder / "stdout.log").read_text()[-2000:]
                    raise RuntimeError(f"Synapse did not start: {text}")
                try:
                    async with http.get(f"{self.url}/_matrix/client/versions") as response:
                        if response.status == 200:
                            return
                except (aiohttp.ClientError, OSError):
                    pass
                await asyncio.sleep(0.05)

    async def stop(self, timeout: float = 20.0) -> None:
        """Stop Synapse by SIGTERM; kill it where it does not end in `timeout` seconds."""
        await self._end(signal.SIGTERM, timeout)

    async def kill(self) -> None:
        """Kill Synapse with SIGKILL."""
        await self._end(signal.SIGKILL, 10.0)

    async def _end(self, number: int, timeout: float) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)
            try:
                await asyncio.wait_for(self.process.wait(), timeout)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        if self._output is not None:
            self._output.close()
            self._output = None

    async def register(self, localpart: str, password: str, *, admin: bool = False) -> str:
        """Create a user with the shared-secret API; returns an access token."""
        url = f"{self.url}/_synapse/admin/v1/register"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
            async with http.get(url) as response:
                nonce = (await response.json())["nonce"]
            parts = [nonce, localpart, password, "admin" if admin else "notadmin"]
            mac = hmac.new(
                self._secret.encode(), b"\x00".join(part.encode() for part in parts), hashlib.sha1
            ).hexdigest()
            body = {"nonce": nonce, "username": localpart, "password": password,
                    "admin": admin, "mac": mac}  # fmt: skip
            async with http.post(url, json=body) as response:
                answer = await response.json()
        if "access_token" not in answer:
            raise RuntimeError(f"{localpart} could not be registered: {answer}")
        return str(answer["access_token"])
