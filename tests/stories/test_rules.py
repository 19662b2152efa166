"""Rules at work: what they do, what they leave alone, and what they say when they cannot."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from bridge.demo.ports import free_ports
from bridge.hooks import signature
from tests.servers.matrix_state import Room
from tests.stage import ADMIN, ALICE, BOB, CUSTOMER, EVE, Stage, mail, until
from tests.stories.desk import ask, control_room
from tests.stories.test_order import answered

HELLO = "We got it, {first_name|dear customer}: {number}."


async def opened(stage: Stage, *rules: dict[str, Any], secret: str = "", **inbox: Any) -> Room:
    """The bridge with rules in config.yaml; returns the control room."""
    config = stage.config(rules=list(rules), **inbox)
    config["webhook_secret"] = secret
    await stage.open(config)
    await stage.queue(ALICE, BOB)
    return await control_room(stage)


async def came(stage: Stage, number: int = 1, **more: Any) -> Room:
    await stage.mail(mail(**{"message_id": f"<n{number}@customer.example>", **more}))
    room = await stage.conversation(number)
    await stage.quiet_but("wake")
    stage.hs.join(ALICE, room.id)
    return room


async def test_a_rule_sorts_what_comes_in(stage: Stage) -> None:
    then = {"assign": BOB, "department": "Accounts", "tag": ["billing", "vip"], "priority": "high",
            "notify": True}  # fmt: skip
    await opened(stage, {"name": "invoices", "when": {"subject": "invoice"}, "then": then})
    room = await came(stage, subject="An invoice")
    queue = await stage.queue()
    await stage.sees(queue, "❗ 🏷 billing, vip · ✋ taken by @bob")
    await stage.sees(queue, "🔔 invoices: #1 An invoice, from Carla Customer")
    assert room.membership(BOB) == "invite"
    assert "Department: Accounts" in await answered(stage, room, ALICE, "!info")
    assert "#1 An invoice" in await answered(stage, queue, ALICE, "!list department:accounts")
    assert "none" in await answered(stage, queue, ALICE, "!list department:sales")
    other = await came(stage, 2, subject="Something else")
    assert "open · @" not in other.state["m.room.topic", ""]["content"]["topic"]


async def test_rules_close_and_snooze_and_a_rule_can_be_the_last(stage: Stage) -> None:
    await opened(
        stage,
        {"name": "noise", "when": {"subject": "noise"}, "then": {"close": True}, "stop": True},
        {"name": "later", "when": {}, "then": {"snooze": "2d", "notify": BOB}},
    )
    noise = await came(stage, subject="noise")
    assert "closed" in noise.state["m.room.topic", ""]["content"]["topic"]
    later = await came(stage, 2, subject="later")
    assert "snoozed" in later.state["m.room.topic", ""]["content"]["topic"]
    told = await stage.sees(later, f"🔔 {BOB}: later.")
    assert told["content"]["m.mentions"] == {"user_ids": [BOB]}


async def test_an_automatic_answer_is_the_snippet_and_nothing_else(stage: Stage) -> None:
    control = await opened(stage)
    await ask(stage, control, f"!snippet add got\n{HELLO}", "is added")
    await ask(stage, control, "!rule add support\nname: hello\non: every\nwhen: {}\n"
              "then: {snippet: got}", "Rule 1 of Support holds from the next mail on")  # fmt: skip
    room = await came(stage, subject="Secret plans", text="the secret text")
    (sent,) = await stage.sent()
    assert sent["To"] == f"Carla Customer <{CUSTOMER}>"
    assert sent["From"] == "Support <support@acme.example>"
    assert sent["Auto-Submitted"] == "auto-replied"
    assert sent["In-Reply-To"] == "<n1@customer.example>"
    text = sent.get_body(("plain",)).get_content().strip()  # type: ignore[union-attr]  # it has a text
    assert text == "We got it, Carla: #1."
    await stage.sees(room, "🤖 Automatic answer (hello):\n\nWe got it, Carla: #1.")
    await stage.sees(room, "· automatic answer")
    await stage.quiet()
    assert "· open" in room.state["m.room.topic", ""]["content"]["topic"]  # they wait still
    # one a day for each contact and conversation
    await stage.mail(mail("More", message_id="<n9@customer.example>",
                          In_Reply_To="<n1@customer.example>"))  # fmt: skip
    await stage.sees(room, "More")
    await came(stage, 2, subject="Another")
    await stage.quiet()
    assert len(stage.smtp.accepted()) == 1


@pytest.mark.parametrize(
    "more",
    [{"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"List_Id": "<l.example>"},
     {"Authentication_Results": "mx.acme.example; dmarc=fail header.from=customer.example"},
     {"sender": "MAILER-DAEMON@customer.example"}],
)  # fmt: skip
async def test_machines_and_forgers_get_no_answer(stage: Stage, more: dict[str, str]) -> None:
    rule = {"name": "hello", "on": "every", "when": {}, "then": {"snippet": "got"}}
    control = await opened(stage, rule, authserv_id="mx.acme.example")
    await ask(stage, control, "!snippet add got\nHello", "is added")
    await came(stage, **more)
    await stage.quiet()
    assert stage.smtp.accepted() == []
    assert not any("could not do" in body for body in stage.hs.bodies(control))


async def test_a_flood_gets_as_many_answers_as_the_inbox_allows(stage: Stage) -> None:
    rule = {"name": "hello", "when": {}, "then": {"snippet": "got"}}
    control = await opened(stage, rule, answers_in_10_minutes=3)
    await ask(stage, control, "!snippet add got\nHello", "is added")
    for number in range(1, 8):
        await stage.mail(mail(sender=f"p{number}@x{number}.example",
                              message_id=f"<f{number}@x.example>"))  # fmt: skip
    await stage.conversation(7)
    await stage.sees(control, "more than 3 automatic answers in 10 minutes")
    await stage.quiet()
    assert len(stage.smtp.accepted()) == 3
    assert sum("more than 3" in body for body in stage.hs.bodies(control)) == 1


async def test_a_rule_that_fails_says_so_and_stops_nothing(stage: Stage) -> None:
    control = await opened(
        stage,
        {"name": "broken", "when": {}, "then": {"assign": EVE, "snippet": "none", "tag": "kept",
                                               "webhook": "https://x.example/"}},
        {"name": "good", "when": {}, "then": {"tag": "good"}},
    )  # fmt: skip
    room = await came(stage)
    await stage.sees(room, "my display stays dark")
    said = await stage.sees(control, "the rule “broken” (config.yaml) could not do all it says")
    for part in (f"{EVE} is no agent", "no snippet none", "webhook_secret", "#1 all the same"):
        assert part in said["content"]["body"]
    assert await answered(stage, room, ALICE, "!tag") == "Tags: kept, good"


async def test_a_webhook_gets_signed_json_until_it_answers(stage: Stage) -> None:
    heard: list[tuple[dict[str, str], bytes]] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append((dict(request.headers), await request.read()))
        return web.Response(status=500 if len(heard) == 1 else 200)

    (port,) = free_ports(1)
    app = web.Application()
    app.router.add_post("/hook", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        url = f"http://127.0.0.1:{port}/hook"
        rule = {"name": "crm", "when": {}, "then": {"webhook": url}}
        await opened(stage, rule, secret="s3cret")
        await came(stage)
        await until(lambda: len(heard) == 2, "the hook to be called again")
    finally:
        await runner.cleanup()
    (first, body), (second, again) = heard
    assert body == again
    assert first["webhook-id"] == second["webhook-id"]
    at = int(second["webhook-timestamp"])
    assert second["webhook-signature"] == signature("s3cret", second["webhook-id"], at, again)
    data = json.loads(body)["data"]
    assert data["rule"] == "crm"
    assert data["conversation"]["number"] == 1
    assert data["mail"]["text"] == "Hello, my display stays dark."


async def test_rules_are_written_tried_and_taken_away_by_chat(stage: Stage) -> None:
    control = await opened(stage, {"name": "file", "when": {}, "then": {"tag": "file"}})
    await came(stage, subject="An invoice")
    await came(stage, 2, subject="Other")
    new = "name: invoices\nwhen: {subject: invoice}\nthen: {tag: billing}"
    stage.hs.say(ADMIN, control.id, f"!rule test support\n{new}")
    tried = await stage.sees(control, "of the last 2 mails rules hold for 1")
    assert (
        "#1 An invoice (carla@customer.example) → invoices: tag billing"
        in (tried["content"]["body"])
    )
    await ask(stage, control, f"!rule add support\n{new}", "Rule 1 of Support holds")
    await ask(stage, control, "!rule list", "Support · config.yaml · file: every mail → tag file",
              "Support · 1 · invoices: subject invoice → tag billing")  # fmt: skip
    for wrong, why in (
        ("!rule", "Say one of"), ("!rule add sales\nx", "there are support"),
        ("!rule add support", "on the lines below"), ("!rule remove x", "by its number"),
        ("!rule add support\nname: x\nwhen: {}\nthen: {snippet: no}", "no snippet no"),
        (f"!rule add support\nname: x\nwhen: {{}}\nthen: {{assign: '{EVE}'}}", "is no agent"),
        ("!rule add support\nname: x\nwhen: {}\nthen: {webhook: 'https://x.example'}",
         "webhook_secret"), ("!rule add support\nname: [", "no YAML"),
        ("!rule remove 9", "There is no rule 9"),
    ):  # fmt: skip
        await ask(stage, control, wrong, why)
    room = await came(stage, 3, subject="invoice again")
    assert await answered(stage, room, ALICE, "!tag") == "Tags: file, billing"
    await ask(stage, control, "!rule remove 1", "Rule 1 is removed.")
    await ask(stage, control, "!audit", "removed rule 1", "added rule 1 (invoices)")
    room = await came(stage, 4, subject="invoice once more")
    assert await answered(stage, room, ALICE, "!tag") == "Tags: file"
