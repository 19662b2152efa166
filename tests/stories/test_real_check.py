"""`postroom check` tells each thing that a homeserver does not do for the bridge, and the cure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.config.init import registration_text
from bridge.config.load import load, load_registration
from bridge.config.settings import Listener
from bridge.model.oversight import Grade
from bridge.operate.check_homeserver import HomeserverCheck
from tests.conftest import living
from tests.homeservers import SETTINGS, Setting
from tests.real import DOMAIN, Town

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


async def found(town: Town, *, token: str = "as", prefix: str = "email_", **homeserver: Any) -> str:
    """The findings of the check, a line each."""
    config = town.config(support=town.inbox("support"))
    config["homeserver"] |= homeserver
    config["appservice"] |= {"prefix": prefix}
    path = town.folder / "check" / "config.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(config))
    text = registration_text(DOMAIN, Listener(prefix=prefix), as_token=token, hs_token="hs")
    (path.parent / "registration.yaml").write_text(text)
    settings = load(path, make_key=True)
    check = HomeserverCheck(settings, load_registration(settings))
    return "\n".join([f"{each.grade} {each.text}" async for each in check.findings()])


async def test_a_homeserver_as_it_should_be(town: Town) -> None:
    text = await found(town)
    assert Grade.BAD.value not in text.split()
    assert Grade.WARNING.value not in text.split()
    for each in (
        "is Synapse 1.163",
        "knows @email_bot",
        "unencrypted",
        "be invited",
        "up to 104.9 MB",
    ):
        assert each in text, text
    assert "Authentication Service" not in text


async def test_one_with_mas(mas_town: Town) -> None:
    assert "with Matrix Authentication Service" in await found(mas_town)


async def test_a_registration_that_it_does_not_know(town: Town) -> None:
    assert "knows no registration of ours: name" in await found(town, token="other")
    await found(town)  # makes the bot
    assert "it loaded another registration" in await found(town, token="other")


async def test_a_prefix_that_changed_since(town: Town) -> None:
    text = await found(town, prefix="post_")
    assert "not @post_bot:real.local as ours" in text
    assert "postroom init --registration" in text


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("enable_media_repo", False, "takes no files; where the media repository runs elsewhere"),
        ("media_upload_limits", [{"time_period": "1d", "max_size": "5"}],
         "a limit of the homeserver is reached"),
        ("encryption_enabled_by_default_for_room_type", "invite",
         "set encryption: avoid under homeserver"),
        ("block_non_admin_invites", True, "may invite nobody"),
    ],
)  # fmt: skip
async def test_a_setting_that_is_in_the_way(
    new_town: Town, key: str, value: Any, says: str
) -> None:
    async with living(new_town, Setting({key: value})) as town:
        text = await found(town)
        assert says in text, text
        assert Grade.BAD.value in text


async def test_what_avoids_encryption(new_town: Town) -> None:
    async with living(new_town, SETTINGS["rooms are encrypted"]) as town:
        assert "new rooms are unencrypted" in await found(town, encryption="avoid")


async def test_a_small_limit_of_uploads(new_town: Town, tmp_path: Path) -> None:
    async with living(new_town, Setting({"max_upload_size": "1M"})) as town:
        assert "files up to 1 MB can be uploaded, and mails may have" in await found(town)
