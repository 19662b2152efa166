"""Bridges as forked children of a process that imported everything already.

A start then costs a tenth of a second, so that hundreds of kills fit into a test run. Commands
come as JSON lines on standard input: {"config": PATH, "env": {…}, "log": PATH} starts one and
answers its pid; {"wait": PID} answers its exit status.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from bridge import __main__ as command_line
from bridge import app, failpoint, worker  # noqa: F401 - imported before the fork on purpose
from bridge.config.load import load, load_registration
from bridge.logs import logs
from bridge.sandbox.starter import ReadingProcess

READING = ReadingProcess()
"""One for all bridges: loading what it needs takes longer than most of their lives."""


def child(order: dict[str, Any]) -> None:
    os.environ.update(order.get("env", {}))
    log = os.open(str(order["log"]), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    READING.process = None  # a child of our parent, whose end we cannot wait for
    failpoint.arm(os.environ.get("BRIDGE_FAILPOINT", ""))
    worker.LEASE = float(str(order["lease"]))
    settings = load(Path(str(order["config"])), make_key=True)
    logs(settings.log_level, settings.log_format)
    try:
        asyncio.run(
            command_line.until_stopped(
                command_line.serve(settings, load_registration(settings), READING)
            )
        )
    except BaseException as error:  # noqa: BLE001 - the child must end here, whatever came
        print(f"bridge ended: {error!r}", flush=True)
        os._exit(1)
    os._exit(0)


def main() -> None:
    READING.start()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            child(order)
        print(json.dumps(pid), flush=True)


if __name__ == "__main__":
    main()
