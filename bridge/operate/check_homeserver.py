"""Tries everything that the bridge needs of a homeserver, for `postroom check`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from mautrix.api import Method

from bridge.config.settings import Registration, Settings
from bridge.mail.limits import size
from bridge.matrix.client import CLIENT, quoted
from bridge.matrix.homeserver import Homeserver
from bridge.model import BridgeError, HomeserverError, Mxid, RoomId
from bridge.model.oversight import Finding, Grade

ADVISED = (1, 141)
"""From this Synapse on, a restart of it cannot double a message (MSC4190 is stable there)."""
DATA = b"Postroom check"
GHOST = "check"


class HomeserverCheck:
    """The steps of the check, each of which says what is wrong, and the cure."""

    def __init__(self, settings: Settings, registration: Registration) -> None:
        server = settings.homeserver.server_name
        prefix = settings.appservice.prefix
        self._settings, self._url = settings, settings.homeserver.url
        self._file = settings.appservice.registration
        self.bot = f"@{prefix}bot:{server}"
        self._ghost = Mxid(f"@{prefix}{GHOST}:{server}")
        self._server = Homeserver(self._url, registration.as_token.get_secret_value(), self.bot)

    async def findings(self) -> AsyncIterator[Finding]:
        """What each step found. Ends after the first that fails so that no other can be tried."""
        await self._server.start()
        try:
            yield await self._version()
            yield await self._registered()
            async for finding in self._rooms():
                yield finding
            async for finding in self._media():
                yield finding
        except (BridgeError, OSError) as error:
            yield Finding(Grade.BAD, str(error) or type(error).__name__)
        finally:
            await self._server.close()

    async def _version(self) -> Finding:
        if await self._server.public("_matrix/client/versions") is None:
            raise BridgeError(f"{self._url} is no homeserver: it shows no Matrix versions")
        has_mas = await self._server.public("_matrix/client/v1/auth_metadata") is not None
        login = " with Matrix Authentication Service" if has_mas else ""
        told = await self._server.public("_synapse/admin/v1/server_version")
        version = (
            str(told.get("server_version", "")).partition(" ")[0] if isinstance(told, dict) else ""
        )
        if not version:
            return Finding(
                Grade.GOOD, f"{self._url} answers{login}; it is no Synapse, or hides its version"
            )
        numbers = tuple(int(each) for each in re.findall(r"\d+", version)[:2])
        if numbers < ADVISED:
            return Finding(
                Grade.WARNING,
                f"{self._url} is Synapse {version}{login}; with {ADVISED[0]}.{ADVISED[1]} or newer"
                " no restart of it can double a message",
            )
        return Finding(Grade.GOOD, f"{self._url} is Synapse {version}{login}")

    async def _registered(self) -> Finding:
        """Whether the homeserver knows our token and lets us be the bot."""
        try:
            await self._server.request(Method.GET, f"{CLIENT}/account/whoami")
        except BridgeError as error:
            if "401" in str(error):
                raise BridgeError(await self._unknown_token()) from error
            if not isinstance(error, HomeserverError):
                raise
            # a bot that is not registered yet is refused, too: register it
        try:
            await self._server.ensure_ghost(self.bot)
        except HomeserverError as error:
            raise BridgeError(
                f"{self._url} knows our token, but not {self.bot} as ours ({error.code}): the"
                f" registration that it loaded has another prefix, or is older than {self._file}."
                " Give it that file again and restart Synapse; postroom init --registration"
                " writes it from config.yaml"
            ) from error
        return Finding(Grade.GOOD, f"{self._url} knows {self.bot}")

    async def _unknown_token(self) -> str:
        """Why our token is not known: another one was loaded, or no registration of ours at all."""
        if await self._server.public(f"{CLIENT}/profile/{quoted(self.bot)}") is not None:
            return (
                f"{self._url} does not know the token in {self._file}, though it knew {self.bot}:"
                f" it loaded another registration. Give it {self._file} and restart Synapse"
            )
        return (
            f"{self._url} knows no registration of ours: name {self._file} under"
            " app_service_config_files in homeserver.yaml and restart Synapse"
        )

    async def _rooms(self) -> AsyncIterator[Finding]:
        """Make a room as the bridge makes them, invite into it, and leave it."""
        avoids = self._settings.homeserver.encryption == "avoid"
        room = await self._server.make_test_room("public_chat" if avoids else "private_chat")
        try:
            if await self._server.state(room, "m.room.encryption") is not None:
                cure = (
                    "set encryption_enabled_by_default_for_room_type: off in Synapse" if avoids
                    else "set encryption: avoid under homeserver in config.yaml, or"
                    " encryption_enabled_by_default_for_room_type: off in Synapse"
                )  # fmt: skip
                yield Finding(
                    Grade.BAD,
                    f"{self._url} encrypts new rooms, which the bridge cannot read; {cure}",
                )
            else:
                yield Finding(Grade.GOOD, "new rooms are unencrypted, as the bridge needs them")
            yield await self._invitation(room)
        finally:
            await self._server.leave(room)

    async def _invitation(self, room: RoomId) -> Finding:
        await self._server.ensure_ghost(self._ghost)
        try:
            await self._server.invite(room, self._ghost)
        except HomeserverError as error:
            return Finding(
                Grade.BAD,
                f"{self.bot} may invite nobody ({error.reason}), so nobody gets into its rooms."
                " Set block_non_admin_invites: false in Synapse, or make it an admin of Synapse:"
                f' PUT /_synapse/admin/v1/users/{self.bot}/admin {{"admin": true}}',
            )
        return Finding(Grade.GOOD, "people can be invited")

    async def _media(self) -> AsyncIterator[Finding]:
        """Upload a file, and read it back."""
        mxc = await self._server.upload_media("check.txt", "text/plain", DATA)
        if await self._server.download(mxc, 1000) != DATA:
            yield Finding(Grade.BAD, f"{self._url} gave another file back than was uploaded")
            return
        limit, wanted = await self._server.upload_limit(), self._settings.limits.mail_size
        text = f"files up to {size(limit)} can be uploaded"
        if limit < wanted:
            yield Finding(
                Grade.WARNING,
                f"{text}, and mails may have {size(wanted)}: set max_upload_size in Synapse, or"
                " larger files stay in the mailbox",
            )
        else:
            yield Finding(Grade.GOOD, text)
        if await self._server.is_open_to_all(mxc):
            yield Finding(
                Grade.WARNING,
                f"{self._url} gives every file to whoever learns its address: set"
                " enable_authenticated_media: true in Synapse",
            )
