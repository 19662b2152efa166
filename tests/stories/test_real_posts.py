"""Each kind of provider on a real Synapse: from its request to a room that an agent reads."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bridge.app import App
from bridge.config.load import load, load_registration
from bridge.demo.ports import free_ports
from bridge.ingress.providers import KINDS
from tests.ingress import posts
from tests.ingress.posts import Amazon
from tests.real import Town
from tests.servers.database import rows
from tests.stage import mail
from tests.stories.hooks import KEYS, faithful, post
from tests.stories.test_real_inbox import ask

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
PROVIDERS = [kind for kind in KINDS if kind != "ses"]
"""Amazon signs with a certificate that only a bridge in our own process can be given."""


def configured(town: Town, *kinds: str) -> dict[str, Any]:
    """A configuration with an inbox for each kind."""
    (port,) = free_ports(1)
    config = town.config()
    support = {
        "agents": [town.agents["alice"].mxid], "undo": 0,
        "smtp": {"host": "127.0.0.1", "port": town.smtp.port, "tls": "none", "auth": "none"},
    }  # fmt: skip
    config["inboxes"] = {
        kind: {**support, "name": kind.capitalize(), "address": f"{kind}@acme.example",
               "http": {"kind": kind, "key": KEYS.get(kind, "")}}
        for kind in kinds
    }  # fmt: skip
    return config | {"public_url": f"http://127.0.0.1:{port}", "public": {"port": port}}


async def sees(town: Town, kind: str, number: int) -> None:
    """Alice walks into the conversation of a mail and reads it."""
    alice, queue = town.agents["alice"], f"{kind.capitalize()} queue"
    await alice.enter(queue)
    room = await alice.walk_in(number, queue)
    shown = [str(each["content"].get("body")) for each in await alice.messages(room)]
    assert any(f"Hello by {kind}" in body for body in shown), shown


async def test_every_kind_of_post_becomes_a_room_and_a_bad_twin_none(town: Town) -> None:
    await town.run(configured(town, *PROVIDERS))
    admin = town.agents["admin"]
    control, amazon = await admin.enter("Postroom control"), Amazon()
    for number, kind in enumerate(PROVIDERS, 1):
        said = await ask(admin, control, f"!inbox hook {kind}")
        url = re.search(r"http://\S+/in/\S+", said)
        assert url is not None
        raw = mail(f"Hello by {kind}", message_id=f"<{kind}@customer.example>")
        request = faithful(kind, raw, f"{kind}@acme.example", url[0], amazon)
        for _ in range(2):
            assert await post(url[0], request) == KINDS[kind].done
        assert await post(url[0].replace("/in/", "/in/x"), request) == 404
        forged = posts.mailgun(raw, f"{kind}@acme.example", key="wrong")
        if kind == "mailgun":
            assert await post(url[0], forged) == 401
        await sees(town, kind, number)
    found = await rows(town.database, town.folder, "SELECT inbox FROM mail WHERE NOT outbound")
    assert sorted(row["inbox"] for row in found) == sorted(PROVIDERS)


async def test_a_notification_of_amazon_becomes_a_room_and_a_forged_one_none(town: Town) -> None:
    bridge = town.configured(configured(town, "ses"))
    settings = load(bridge.config, make_key=True)
    admin, amazon = town.agents["admin"], Amazon()
    async with App(settings, load_registration(settings)) as app:
        app.posts.amazon.fetch = amazon.fetch
        control = await admin.enter("Postroom control")
        said = await ask(admin, control, "!inbox hook ses")
        url = re.search(r"http://\S+/in/\S+", said)
        assert url is not None
        raw = mail("Hello by ses", message_id="<ses@customer.example>")
        assert await post(url[0], amazon.subscription()) == KINDS["ses"].done
        assert await post(url[0], Amazon().ses(raw, "ses@acme.example")) == 401
        request = amazon.ses(raw, "ses@acme.example")
        for _ in range(2):
            assert await post(url[0], request) == KINDS["ses"].done
        await sees(town, "ses", 1)
    found = await rows(town.database, town.folder, "SELECT inbox FROM mail WHERE NOT outbound")
    assert [row["inbox"] for row in found] == ["ses"]
