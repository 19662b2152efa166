"""A bridge in a process of its own, for tests that kill it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from bridge.config.init import registration_text
from bridge.config.settings import Listener


class Zygote:
    """Starts bridges quickly; see zygote.py. One serves a whole test session."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = threading.Lock()

    def stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def order(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return int(json.loads(self._process.stdout.readline()))


class Bridge:
    """One bridge, its folder and its configuration."""

    def __init__(self, zygote: Zygote, folder: Path, config: dict[str, Any]) -> None:
        self._zygote, self.folder = zygote, folder
        self.config = folder / "config.yaml"
        self.log = folder / "bridge.log"
        self.config.write_text(json.dumps(config))
        listener = Listener(**config["appservice"])
        self.url = listener.reached_at
        self.health = f"http://127.0.0.1:{config['health']['port']}/health"
        registration = folder / "registration.yaml"
        if not registration.exists():
            text = registration_text(
                config["homeserver"]["server_name"], listener, as_token="as", hs_token="hs"
            )
            registration.write_text(text)
        self.pid = 0
        self.lease = 60.0

    async def start(self, failpoint: str = "") -> None:
        env = {"BRIDGE_FAILPOINT": failpoint}
        order = {"config": str(self.config), "env": env, "log": str(self.log), "lease": self.lease}
        self.pid = await asyncio.to_thread(self._zygote.order, order)

    def is_alive(self) -> bool:
        """A child that died stays a zombie of the zygote until somebody waits for it."""
        if not self.pid:
            return False
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except FileNotFoundError:
            return False
        return stat.rpartition(")")[2].split()[0] != "Z"

    async def wait(self) -> int:
        """The exit status; negative for a signal."""
        status = await asyncio.to_thread(self._zygote.order, {"wait": self.pid})
        self.pid = 0
        return status

    async def kill(self) -> None:
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            await self.wait()

    async def terminate(self) -> int:
        os.kill(self.pid, signal.SIGTERM)
        return await self.wait()
