"""Fixtures: the stage, and the servers that need something installed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import provision, test_features
from tests.homeservers import PLAIN, SETTINGS, Setting
from tests.real import Town
from tests.servers.bridge import Zygote
from tests.servers.dns import DnsServer
from tests.servers.dovecot import DovecotServer, oauth2_server
from tests.servers.oauth import AuthorizationServer
from tests.servers.postgres import PostgresServer
from tests.stage import SUPPORT, Stage

BOTH_DATABASES = {
    "test_day.py", "test_real.py", "test_intake.py", "test_odd_events.py",
    "test_search.py", "test_order.py", "test_numbers.py", "test_erasing.py", "test_races.py",
    "test_two_processes.py", "test_deadly.py", "test_leaving.py",
}  # fmt: skip
"""The stories that run on PostgreSQL, too, where not everything does (FULL=1): the main job, and
what asks more of the database than to keep rows."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests over folders of mail are collected only where one is named; most stories and the sweep
    on one database, where FULL=1 does not ask for both; the agents' day on one homeserver."""
    items[:] = [item for item in items if not _cannot_be(item)]
    if "MAIL_CORPUS" not in os.environ:
        items[:] = [item for item in items if item.get_closest_marker("corpus") is None]
    if not os.environ.get("FULL"):
        items[:] = [item for item in items if not _waits_for_a_release(item)]


def _parameters(item: pytest.Item) -> dict[str, Any]:
    return getattr(getattr(item, "callspec", None), "params", {})


def _cannot_be(item: pytest.Item) -> bool:
    """Whether a test needs files where the homeserver takes none, or would be told on both of the
    bridge's databases for each homeserver."""
    parameters = _parameters(item)
    setting = SETTINGS[parameters.get("any_town", "as it comes")]
    needs_files = item.get_closest_marker("files") is not None
    twice = setting is not PLAIN and parameters.get("new_database") == "postgres"
    return twice or (needs_files and not setting.files)


def _waits_for_a_release(item: pytest.Item) -> bool:
    """Whether a test is a story that only FULL=1 tells: on PostgreSQL, or on a homeserver of a
    certain kind; or the sweep on PostgreSQL."""
    parameters = _parameters(item)
    setting = SETTINGS[parameters.get("any_town", "as it comes")]
    if setting is not PLAIN:
        return not (setting.daily and item.get_closest_marker("any_homeserver"))
    if parameters.get("new_database") != "postgres":
        return False
    if item.get_closest_marker("sweep") is not None:
        return True
    return item.path.parent.name == "stories" and item.path.name not in BOTH_DATABASES


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """`make test STRICT=1`: a skip is a failure, so that nothing is left out unseen."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]  # pluggy's result
    if os.environ.get("STRICT") and report.skipped:
        report.outcome = "failed"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """After a run of everything: each test that features.md and threats.md name has passed."""
    config = session.config
    chosen = config.option.keyword or config.option.markexpr or config.args_source.name == "ARGS"
    if hasattr(config, "workerinput") or chosen:
        return
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    passed = {
        report.nodeid.partition("[")[0]
        for outcome in ("passed", "skipped")  # which STRICT makes a failure
        for report in reporter.stats.get(outcome, ())
    }
    for file, test in test_features.named():
        if f"{file}::{test}" not in passed:
            reporter.write_line(f"named in docs/: {file}::{test} did not pass", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The sweep's table: each point, and what its kills did."""
    rows = sorted(
        value
        for report in terminalreporter.stats.get("passed", ())
        for name, value in report.user_properties
        if name == "sweep"
    )
    if rows:
        terminalreporter.section("failpoints × kill -9")
        for row in rows:
            terminalreporter.line(row)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    if not provision.postgres():
        pytest.skip("needs PostgreSQL: python -m tests.provision")
    server = PostgresServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def new_database(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    """Makes an empty database for a folder; what asks for it runs on both kinds."""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        return lambda _: server.create()
    return lambda folder: f"sqlite:{folder}/postroom.db"


@pytest.fixture
def database_url(new_database: Callable[[Path], str], tmp_path: Path) -> str:
    return new_database(tmp_path)


@pytest.fixture
async def stage(tmp_path: Path, database_url: str) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path, database_url)
    await stage.start()
    try:
        yield stage
    finally:
        if hasattr(stage, "app"):
            await stage.close()
        await stage.stop()


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    zygote = Zygote()
    yield zygote
    zygote.stop()


@pytest.fixture
def town_folder() -> Iterator[Path]:
    """Unix socket paths are short, and Dovecot's mail user must reach the folder."""
    folder = Path(tempfile.mkdtemp(prefix="town"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_town(town_folder: Path, zygote: Zygote, database_url: str) -> Town:
    if not provision.synapse() or not provision.dovecot():
        pytest.skip("needs Synapse and Dovecot: python -m tests.provision")
    return Town(town_folder, zygote, database_url)


@asynccontextmanager
async def living(town: Town, setting: Setting = PLAIN) -> AsyncIterator[Town]:
    """The town, its servers running; shown when the test failed."""
    try:
        await town.start(setting)
        yield town
    finally:
        await town.stop()
        if hasattr(town, "bridge"):
            print(town.bridge.log.read_text()[-6000:], await town.dump())


@pytest.fixture
async def town(new_town: Town) -> AsyncIterator[Town]:
    async with living(new_town):
        yield new_town


@pytest.fixture
async def mas_town(new_town: Town) -> AsyncIterator[Town]:
    """A town whose people log in at a Matrix Authentication Service."""
    async with living(new_town, SETTINGS["people log in at MAS"]):
        yield new_town


@pytest.fixture(params=SETTINGS)
async def any_town(request: pytest.FixtureRequest, new_town: Town) -> AsyncIterator[Town]:
    """A town for each kind of homeserver."""
    setting = SETTINGS[request.param]
    if setting.postgres:
        if not provision.driver():
            pytest.skip("needs a Synapse that speaks to PostgreSQL: python -m tests.provision")
        server: PostgresServer = request.getfixturevalue("postgres")
        setting = replace(setting, synapse={**setting.synapse, "database": server.synapse()})
    async with living(new_town, setting):
        yield new_town


@pytest.fixture
async def names() -> AsyncIterator[DnsServer]:
    """A name server that knows nothing yet."""
    server = DnsServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def provider() -> AsyncIterator[AuthorizationServer]:
    server = AuthorizationServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def mailbox(provider: AuthorizationServer, town_folder: Path) -> AsyncIterator[DovecotServer]:
    """A Dovecot that takes the provider's tokens."""
    if not provision.dovecot():
        pytest.skip("needs Dovecot: python -m tests.provision")
    server = oauth2_server(str(town_folder), {SUPPORT: "unknown"}, provider.url)
    await server.start()
    yield server
    await server.stop()
