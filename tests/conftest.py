"""Fixtures: the stage, and the servers that need something installed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests import provision
from tests.real import Town
from tests.servers.bridge import Zygote
from tests.stage import Stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
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
async def town(town_folder: Path, zygote: Zygote) -> AsyncIterator[Town]:
    if not provision.synapse() or not provision.dovecot():
        pytest.skip("needs Synapse and Dovecot: python -m tests.provision")
    town = Town(town_folder, zygote)
    try:
        await town.start()
        yield town
    finally:
        await town.stop()
        if hasattr(town, "bridge"):  # shown when the test failed
            print(town.bridge.log.read_text()[-6000:], town.dump())
