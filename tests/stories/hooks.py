"""An inbox whose mail is posted to it."""

from __future__ import annotations

import io
import re
from typing import Any

import aiohttp

from bridge.demo.ports import free_ports
from tests.ingress import posts
from tests.ingress.posts import Amazon, Request
from tests.servers.database import rows
from tests.servers.matrix_state import Room
from tests.stage import ALICE, Scene, Stage
from tests.stories.desk import ask, control_room

KEYS = {"mailgun": posts.MAILGUN, "mandrill": posts.MANDRILL, "ses": posts.TOPIC}
HOOK = re.compile(r"http://\S+/in/\S+")


def pushed(stage: Scene, kind: str, **more: Any) -> dict[str, Any]:
    """The configuration of an inbox whose mail is posted."""
    (port,) = free_ports(1)
    config = stage.config(http={"kind": kind, "key": KEYS.get(kind, "")}, **more)
    del config["inboxes"]["support"]["imap"]
    return config | {"public_url": f"http://127.0.0.1:{port}", "public": {"port": port}}


async def hooked(stage: Stage, kind: str, **more: Any) -> tuple[Room, str]:
    """The bridge with such an inbox, an agent in its queue; (control room, address of the hook)."""
    await stage.open(pushed(stage, kind, **more))
    control = await control_room(stage)
    said = await ask(stage, control, "!inbox hook support")
    await stage.queue(ALICE)
    return control, HOOK.search(said)[0]  # type: ignore[index]  # it has one


async def post(url: str, request: Request) -> int:
    """Post a request; returns the status of the answer."""
    body = io.BytesIO(request.body) if len(request.body) > 1_000_000 else request.body
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=body, headers=request.headers, allow_redirects=False) as answer,
    ):
        await answer.read()
        return answer.status


def faithful(kind: str, raw: bytes, to: str, url: str, amazon: Amazon) -> Request:
    """The request of a kind of provider."""
    match kind:
        case "mandrill":
            return posts.mandrill(raw, to, url)
        case "ses":
            return amazon.ses(raw, to)
        case _:
            made: Request = getattr(posts, kind)(raw, to)
            return made


async def stored(stage: Stage) -> list[bytes]:
    """The bytes of what was taken."""
    found = await rows(
        stage.database, stage.folder,
        "SELECT bytes FROM intake JOIN raw ON raw.id = raw ORDER BY intake.id",
    )  # fmt: skip
    return [bytes(row["bytes"]) for row in found]
