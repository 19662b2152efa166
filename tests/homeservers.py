"""Synapses as admins have them: one for each setting that refuses something to the bridge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from bridge.chat.room import ghost_localpart
from bridge.model import Address

if TYPE_CHECKING:
    from tests.real import Town

CUSTOMER = "carla@customer.example"


@dataclass(frozen=True)
class Setting:
    """What is unusual about a homeserver."""

    synapse: Mapping[str, Any] = field(default_factory=dict)
    """Keys of homeserver.yaml."""
    bridge: Mapping[str, Any] = field(default_factory=dict)
    """Keys of `homeserver:` in the bridge's config."""
    mas: bool = False
    """Whether people log in at a Matrix Authentication Service."""
    postgres: bool = False
    """Whether Synapse stores its data in PostgreSQL."""
    people: Callable[[Town], Awaitable[None]] | None = None
    """What people did before the bridge began."""
    agents: tuple[str, ...] = ()
    """Agents of support@ beside Alice and Bob."""
    files: bool = True
    """Whether files can be uploaded."""
    is_well: bool = True
    """Whether /health can be green."""
    daily: bool = False
    """Whether the main story is told on it without FULL=1."""


async def call(town: Town, method: str, path: str, body: Any = None, *, token: str = "as") -> Any:
    """A request to Synapse as the appservice or, with `token`, as somebody else."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{town.synapse.url}{path}", json=body, headers=headers) as answer,
    ):
        found = await answer.json()
        assert answer.status == 200, (answer.status, found)
        return found


async def as_admin(town: Town, method: str, path: str, body: Any = None) -> Any:
    if "root" not in town.tokens:
        town.tokens["root"] = await town.synapse.register("root", "secret", admin=True)
    return await call(town, method, f"/_synapse/admin{path}", body, token=town.tokens["root"])


async def _register(town: Town, localpart: str) -> str:
    """Make a user of the bridge before the bridge does; returns their id."""
    body = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
    return str((await call(town, "POST", "/_matrix/client/v3/register", body))["user_id"])


async def make_bot_admin(town: Town) -> None:
    bot = await _register(town, "email_bot")
    await as_admin(town, "PUT", f"/v1/users/{bot}/admin", {"admin": True})


async def deactivate_ghost(town: Town) -> None:
    ghost = await _register(town, ghost_localpart("email_", Address(CUSTOMER)))
    await as_admin(town, "POST", f"/v1/deactivate/{ghost}", {})


async def suspend_ghost(town: Town) -> None:
    ghost = await _register(town, ghost_localpart("email_", Address(CUSTOMER)))
    await as_admin(town, "PUT", f"/v1/suspend/{ghost}", {"suspend": True})


async def block_invitations(town: Town) -> None:
    """Eve wants no invitations of anybody."""
    eve = town.agents["eve"]
    for type_ in ("m.invite_permission_config", "org.matrix.msc4155.invite_permission_config"):
        path = f"/_matrix/client/v3/user/{eve.mxid}/account_data/{type_}"
        body = {"default_action": "block"}
        await call(town, "PUT", path, body, token=eve.client.access_token)


PLAIN = Setting()
SETTINGS = {
    "as it comes": PLAIN,
    "no picture is allowed": Setting({"allowed_avatar_mimetypes": ["image/gif"]}),
    "every picture is too large": Setting({"max_avatar_size": "10"}),
    "names are those of the profile": Setting({"allow_per_room_profiles": False}),
    "no media repository here": Setting(
        {"enable_media_repo": False}, files=False, is_well=False, daily=True
    ),
    "the day's uploads are used up": Setting(
        {"media_upload_limits": [{"time_period": "1d", "max_size": "1K"}]}, files=False
    ),
    "rooms are encrypted": Setting(
        {"encryption_enabled_by_default_for_room_type": "invite"},
        {"encryption": "avoid"},
        daily=True,
    ),
    "only admins invite": Setting(
        {"block_non_admin_invites": True}, people=make_bot_admin, daily=True
    ),
    "an agent blocks invitations": Setting(
        people=block_invitations, agents=("@eve:real.local",), daily=True
    ),
    "an agent is of another homeserver": Setting(agents=("@zoe:elsewhere.example",)),
    "a ghost is deactivated": Setting(people=deactivate_ghost),
    "a ghost is suspended": Setting(people=suspend_ghost),
    "room version 11": Setting(bridge={"room_version": "11"}),
    "Synapse is on PostgreSQL": Setting(postgres=True, daily=True),
    "people log in at MAS": Setting(mas=True),
    "much is refused": Setting(
        {
            "allowed_avatar_mimetypes": ["image/gif"],
            "allow_per_room_profiles": False,
            "media_upload_limits": [{"time_period": "1d", "max_size": "1K"}],
        },
        {"room_version": "11"},
        agents=("@zoe:elsewhere.example",),
        files=False,
        daily=True,
    ),
}
