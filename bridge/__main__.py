"""The command line: `postroom init | run | check | backup | restore | …`, one function each."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge import __version__, failpoint
from bridge.config.load import load, load_registration
from bridge.config.settings import ConfigError, Registration, Settings
from bridge.logs import logs
from bridge.model import BridgeError

if TYPE_CHECKING:
    from bridge.sandbox.starter import ReadingProcess


USAGE, TRY_LATER = 64, 75
"""EX_USAGE and EX_TEMPFAIL of sysexits.h, which mail servers know."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 1 for failures, 2 for a wrong configuration."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        chosen = _parser().parse_args(given)
    except SystemExit as error:
        if error.code and given[:1] == ["ingest"]:
            return USAGE
        raise
    try:
        return int(chosen.run(chosen))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except BridgeError as error:
        print(f"postroom: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="postroom", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], help: str) -> Any:
        command = commands.add_parser(name, help=help)
        command.set_defaults(run=run)
        return command

    for name, run, help in (
        ("run", _run, "run the bridge"),
        ("migrate", _migrate, "bring the database to this version's schema"),
        ("check", _check, "try homeserver, database and every inbox; one line each"),
        ("backup", _backup, "write the database into one file, also while the bridge runs"),
        ("restore", _restore, "fill an empty database from a backup"),
        ("copy-database", _copy, "copy everything into another, empty database"),
        ("rekey", _rekey, "seal the passwords given in chat with a new key"),
    ):
        command = add(name, run, help)
        command.add_argument("-c", "--config", type=Path, default=Path("config.yaml"))
        if name in ("backup", "restore"):
            command.add_argument("file", type=Path)
        if name == "copy-database":
            command.add_argument("to", help="sqlite:FILE or postgres://user:password@host/name")
    init = add("init", _init, "write config.yaml and registration.yaml with fresh tokens")
    init.add_argument("folder", type=Path, nargs="?", default=Path())
    init.add_argument("--server-name", default="example.com")
    init.add_argument("--admin", default="")
    init.add_argument(
        "--registration", action="store_true",
        help="write registration.yaml again from FOLDER/config.yaml, with the tokens it has",
    )  # fmt: skip
    ingest = add("ingest", _ingest, "take one mail on standard input, also while nothing runs")
    ingest.add_argument("-c", "--config", type=Path, default=Path("config.yaml"))
    ingest.add_argument("--inbox", required=True, help="its address")
    ingest.add_argument("--sender", default="", help="of the envelope")
    demo = add("demo", _demo, "a throw-away world: homeserver, mail server, bridge, one story")
    demo.add_argument("--folder", type=Path, default=Path(".demo"))
    demo.add_argument("--once", action="store_true", help="end after the story")
    demo.add_argument("--mail", action="store_true", help="show what the customer got, and end")
    add("failpoints", _failpoints, "list the points BRIDGE_FAILPOINT knows")
    add("version", _version, "print the version")
    return parser


async def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until it ends or SIGTERM or SIGINT comes."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


async def serve(
    settings: Settings, registration: Registration, reading: ReadingProcess | None = None
) -> None:
    from bridge.app import App

    async with App(settings, registration, reading) as app:
        await app.run()


def _run(arguments: argparse.Namespace) -> int:
    settings = load(arguments.config, make_key=True)
    logs(settings.log_level, settings.log_format)
    asyncio.run(until_stopped(serve(settings, load_registration(settings))))
    return 0


def _migrate(arguments: argparse.Namespace) -> int:
    from bridge.store.database import Database

    settings = load(arguments.config)

    async def migrate() -> None:
        await (await Database.open(settings.database)).close()

    asyncio.run(migrate())
    print(f"{settings.database_name} is at this version's schema")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from bridge.operate.check import check

    settings = load(arguments.config)
    return 0 if asyncio.run(check(settings, load_registration(settings))) else 1


def _backup(arguments: argparse.Namespace) -> int:
    from bridge.operate.backup import backup

    print(asyncio.run(backup(load(arguments.config), arguments.file)))
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from bridge.operate.backup import restore

    print(asyncio.run(restore(load(arguments.config), arguments.file)))
    return 0


def _copy(arguments: argparse.Namespace) -> int:
    from bridge.operate.backup import copy_database

    print(asyncio.run(copy_database(load(arguments.config), arguments.to)))
    return 0


def _rekey(arguments: argparse.Namespace) -> int:
    from bridge.operate.backup import rekey

    print(asyncio.run(rekey(load(arguments.config), arguments.config)))
    return 0


def _init(arguments: argparse.Namespace) -> int:
    from bridge.config.init import init, write_registration

    if arguments.registration:
        print(write_registration(load(arguments.folder / "config.yaml")))
        return 0
    print(init(arguments.folder, arguments.server_name, arguments.admin))
    return 0


def _ingest(arguments: argparse.Namespace) -> int:
    try:
        from bridge.operate.ingest import ingest
    except ImportError as error:  # the program is being replaced
        print(f"postroom: {error}", file=sys.stderr)
        return TRY_LATER
    return ingest(arguments.config, arguments.inbox, arguments.sender)


def _demo(arguments: argparse.Namespace) -> int:
    from bridge.demo.main import demo, show_mail

    if arguments.mail:
        return show_mail(arguments.folder)
    return demo(arguments.folder, once=arguments.once)


def _failpoints(arguments: argparse.Namespace) -> int:
    print("\n".join(failpoint.names()))
    return 0


def _version(arguments: argparse.Namespace) -> int:
    print(__version__)
    return 0


if __name__ == "__main__":
    sys.exit(main())
