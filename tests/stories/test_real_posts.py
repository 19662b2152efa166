"""Each kind of provider on a real Synapse: from its request to a room that an agent reads."""

from __future__ import annotations

import re

import pytest

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
"""Amazon signs with a certificate of its own; test_hooks.py has one, in the bridge's process."""


async def test_every_kind_of_post_becomes_a_room_and_a_bad_twin_none(town: Town) -> None:
    (port,) = free_ports(1)
    config = town.config()
    support = {
        "agents": [town.agents["alice"].mxid], "undo": 0,
        "smtp": {"host": "127.0.0.1", "port": town.smtp.port, "tls": "none", "auth": "none"},
    }  # fmt: skip
    config["inboxes"] = {
        kind: {**support, "name": kind.capitalize(), "address": f"{kind}@acme.example",
               "http": {"kind": kind, "key": KEYS.get(kind, "")}}
        for kind in PROVIDERS
    }  # fmt: skip
    config |= {"public_url": f"http://127.0.0.1:{port}", "public": {"port": port}}
    await town.run(config)
    admin, alice = town.agents["admin"], town.agents["alice"]
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
        queue = f"{kind.capitalize()} queue"
        await alice.enter(queue)
        room = await alice.walk_in(number, queue)
        shown = [str(each["content"].get("body")) for each in await alice.messages(room)]
        assert any(f"Hello by {kind}" in body for body in shown), shown
    found = await rows(town.database, town.folder, "SELECT inbox FROM mail WHERE NOT outbound")
    assert sorted(row["inbox"] for row in found) == sorted(PROVIDERS)
