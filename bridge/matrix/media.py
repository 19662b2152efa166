"""The media repository: uploads and downloads files."""

from __future__ import annotations

import io
from typing import Any

from aiohttp import ClientError, ClientTimeout
from mautrix.api import Method

from bridge import failpoint
from bridge.matrix.client import Client, error_of
from bridge.matrix.client import quoted as _q
from bridge.model import HomeserverError, Permanent, Transient

MEDIA_TIMEOUT = 600.0


class Media(Client):
    """The requests of the client API that are about files."""

    _reserves_media = True

    async def reserve_media(self) -> str:
        """Reserve an mxc address to upload to, so that a repeated upload is stored only once.
        Empty where the homeserver cannot do that."""
        if not self._reserves_media:
            return ""
        async with failpoint.around("matrix.media"):
            try:
                with self.watched("media", Transient):
                    answer = await self.request(Method.POST, "_matrix/media/v1/create", {})
            except HomeserverError as error:
                if not error.is_code("M_UNRECOGNIZED"):
                    raise
                return ""
        return str(answer["content_uri"])

    async def fill_media(self, mxc: str, name: str, type: str, data: bytes) -> str:
        """Upload a file to the address that was reserved for it, or to a new one where `mxc` is
        empty; returns its address. Raises Transient while the homeserver takes no files."""
        with self.watched("media", Transient):
            answer = await self._upload(mxc, name, type, data)
        if not mxc:
            self._reserves_media = False
            mxc = str(answer["content_uri"])
        return mxc

    async def _upload(self, mxc: str, name: str, type: str, data: bytes) -> Any:
        path = "_matrix/media/v3/upload"
        if mxc:
            server, _, media = mxc.removeprefix("mxc://").partition("/")
            path = f"{path}/{_q(server)}/{_q(media)}"
        async with failpoint.around("matrix.media"):
            try:
                return await self.request(
                    Method.PUT if mxc else Method.POST,
                    path,
                    io.BytesIO(data or b"\n"),  # bytes would be sent in one go, blocking us
                    query={"filename": name},
                    headers={"Content-Type": type},
                    timeout=MEDIA_TIMEOUT,
                )
            except HomeserverError as error:
                if error.is_code("M_UNRECOGNIZED"):
                    raise self._no_media() from error
                if error.code != "M_CANNOT_OVERWRITE_MEDIA":
                    raise
        return None

    async def upload_media(self, name: str, type: str, data: bytes) -> str:
        """Upload a file that may be uploaded twice where we die; returns its address."""
        return await self.fill_media(await self.reserve_media(), name, type, data)

    def _no_media(self) -> Transient:
        return Transient(
            f"{self._url} takes no files; where the media repository runs elsewhere, set"
            " homeserver.url in config.yaml to the address that clients use"
        )

    async def is_open_to_all(self, mxc: str) -> bool:
        """Whether anybody who knows a file's address can download it without a token (as before
        authenticated media, Client-Server API v1.11). Raises Transient without an answer."""
        assert self._session is not None
        server, _, media = mxc.removeprefix("mxc://").partition("/")
        url = f"{self._url}/_matrix/media/v3/download/{_q(server)}/{_q(media)}"
        try:
            async with self._session.get(url, params={"allow_remote": "false"}) as response:
                return response.status == 200
        except (ClientError, OSError, TimeoutError) as error:
            raise Transient(f"the homeserver does not answer: {error}") from error

    async def upload_limit(self) -> int:
        """The most bytes of one upload; for a larger one the homeserver resets the connection."""
        try:
            answer = await self.request(Method.GET, "_matrix/client/v1/media/config")
        except HomeserverError as error:
            if error.is_code("M_UNRECOGNIZED"):
                raise self._no_media() from error
            raise
        return int(answer.get("m.upload.size") or 50_000_000)

    async def download(self, mxc: str, limit: int) -> bytes:
        """The bytes of a file. Raises Permanent when it is gone or has over `limit` bytes,
        Transient when the homeserver does not answer."""
        assert self._session is not None
        server, _, media = mxc.removeprefix("mxc://").partition("/")
        url = f"{self._url}/_matrix/client/v1/media/download/{_q(server)}/{_q(media)}"
        try:
            async with self._session.get(
                url,
                params={"user_id": self.bot},
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=ClientTimeout(total=MEDIA_TIMEOUT),
            ) as response:
                if response.status != 200:
                    text = await response.text()
                    if "M_NOT_YET_UPLOADED" in text:
                        raise Permanent("a file's upload never ended; upload it again")
                    raise error_of(response.status, response.headers, text)
                data = bytearray()
                async for chunk in response.content.iter_chunked(1 << 16):
                    data += chunk
                    if len(data) > limit:
                        raise Permanent(f"the file is over the limit of {limit} bytes")
                return bytes(data)
        except (ClientError, OSError, TimeoutError) as error:
            raise Transient(f"the file could not be fetched: {error}") from error
