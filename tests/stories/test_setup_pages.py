"""The pages of docs/setup, played as they stand: from nothing to the first answered mail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.demo.ports import free_ports
from bridge.ingress.providers import KINDS
from tests.ingress.posts import Amazon
from tests.stage import ALICE, SUPPORT, Stage, mail
from tests.stories.desk import ask, control_room
from tests.stories.hooks import HOOK, KEYS, faithful, post

PAGES = Path(__file__).parent.parent.parent / "docs" / "setup"


def steps(kind: str) -> list[str]:
    """The commands of a provider's page, in their order, for our address."""
    text = " ".join((PAGES / f"{kind}.md").read_text().split())
    said = re.findall(r"`(![a-z][^`]*)`|say `(\w+)`", text)
    found = [(first or second).replace("support@example.com", SUPPORT) for first, second in said]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "relay"])
async def test_the_page_of_a_provider_leads_to_an_answered_mail(stage: Stage, kind: str) -> None:
    (port,) = free_ports(1)
    config = stage.config() | {"inboxes": {}, "public_url": f"http://127.0.0.1:{port}"}
    await stage.open(config | {"public": {"port": port}})
    amazon, control, url = Amazon(), await control_room(stage), ""
    stage.app.posts.amazon.fetch = amazon.fetch
    todo = steps(kind)
    assert f"!inbox add {SUPPORT}" in todo
    assert "!inbox publish support" in todo
    for said in todo:
        if said.startswith("!inbox set support http.key") and kind not in KEYS:
            continue  # where it may, and does not have to, be given
        said = re.sub(r"VALUE|TOPIC_ARN", KEYS.get(kind, ""), said)
        if said == "!inbox publish support":  # as the page says: write to it before
            assert await post(url, faithful(kind, mail("A trial", message_id="<1@c.example>"),
                                            SUPPORT, url, amazon)) == KINDS[kind].done  # fmt: skip
            await stage.sees(control, "A mail came for draft support")
        answer = await ask(stage, control, said)
        if said == kind:
            await ask(stage, control, "local", "Who answers this mail?")
            await ask(stage, control, ALICE, "Draft support is complete")
            await ask(stage, control, f"!inbox set support smtp.port {stage.smtp.port}")
            await ask(stage, control, "!inbox set support undo 0")
        elif said == "!inbox hook support":
            found = HOOK.search(answer)
            assert found is not None, answer
            url = found[0]
    await stage.queue(ALICE)
    request = faithful(
        kind, mail(subject="Another", message_id="<2@c.example>"), SUPPORT, url, amazon
    )
    assert await post(url, request) == KINDS[kind].done
    await stage.sees(await stage.conversation(1), "A trial")
    room = await stage.conversation(2)
    await stage.sees(room, "my display stays dark")
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply It is on its way.")
    (sent,) = await stage.sent()
    assert sent["Subject"] == "Re: Another"
