"""Rules at work: what they do, what they leave alone, and what they say when they cannot."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from bridge.demo.ports import free_ports
from bridge.web.webhook import signature
from tests.servers.matrix_state import Room, name_of
from tests.stage import (
    ADMIN,
    ALICE,
    BOB,
    CUSTOMER,
    EVE,
    SALES,
    SUPPORT,
    Stage,
    mail,
    until,
)
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
    await stage.sees(queue, "❗ 🏷 billing, vip · ✋ taken by Bob")
    await stage.sees(queue, "🔔 invoices: #1 An invoice, from Carla Customer")
    assert room.membership(BOB) == "invite"
    assert "Department: Accounts" in await answered(stage, room, ALICE, "!info")
    assert "#1 An invoice" in await answered(stage, queue, ALICE, "!list department:accounts")
    assert "none" in await answered(stage, queue, ALICE, "!list department:sales")
    other = await came(stage, 2, subject="Something else")
    assert other.state["m.room.topic", ""]["content"]["topic"].endswith(" · open")


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
    told = await stage.sees(later, "🔔 Bob: later.")
    assert told["content"]["m.mentions"] == {"user_ids": [BOB]}


async def test_an_automatic_answer_is_the_snippet_and_nothing_else(stage: Stage) -> None:
    control = await opened(stage, authserv_id="mx.acme.example")
    await ask(stage, control, f"!snippet add got\n{HELLO}", "is added")
    await ask(stage, control, "!rule add support\nname: hello\non: every\nwhen: {}\n"
              "then: {snippet: got}", "Rule 1 of Support holds from the next mail on")  # fmt: skip
    passed = "mx.acme.example; dmarc=pass header.from=customer.example"
    room = await came(stage, subject="Secret plans", text="the secret text",
                      Authentication_Results=passed)  # fmt: skip
    (sent,) = await stage.sent()
    assert sent["Subject"] == "Re: Secret plans"
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
async def test_T25_machines_and_forgers_get_no_answer(stage: Stage, more: dict[str, str]) -> None:
    rule = {"name": "hello", "on": "every", "when": {}, "then": {"snippet": "got"}}
    control = await opened(stage, rule, authserv_id="mx.acme.example")
    await ask(stage, control, "!snippet add got\nHello", "is added")
    await came(stage, **more)
    await stage.quiet()
    assert stage.smtp.accepted() == []
    assert not any("could not do" in body for body in stage.hs.bodies(control))


async def test_T24_a_flood_gets_as_many_answers_as_the_inbox_allows(stage: Stage) -> None:
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
    for part in (
        f"{EVE} is not an agent",
        "no snippet none",
        "webhook_secret",
        "#1 all the same",
    ):
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
        (f"!rule add support\nname: x\nwhen: {{}}\nthen: {{assign: '{EVE}'}}", "is not an agent"),
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


async def listening(port: int, status: int, heard: list[bytes]) -> web.AppRunner:
    """Another program, which answers everything so."""

    async def hear(request: web.Request) -> web.Response:
        heard.append(await request.read())
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/{tail:.*}", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


async def test_a_webhook_that_is_refused_is_told_of_once(stage: Stage) -> None:
    heard: list[bytes] = []
    (port,) = free_ports(1)
    runner = await listening(port, 404, heard)
    try:
        rule = {"name": "crm", "when": {}, "then": {"webhook": f"http://127.0.0.1:{port}/a"}}
        control = await opened(stage, rule, secret="s3cret")
        for number in (1, 2, 3):
            await came(stage, number)
        await stage.sees(control, "webhook at 127.0.0.1 answers 404")
        await stage.quiet()
    finally:
        await runner.cleanup()
    assert len(heard) == 3
    assert sum("answers 404" in body for body in stage.hs.bodies(control)) == 1


async def test_two_rules_of_one_name_both_do_what_they_say(stage: Stage) -> None:
    heard: list[bytes] = []
    (port,) = free_ports(1)
    runner = await listening(port, 200, heard)
    try:
        first, second = (
            {"name": "x", "when": {},
             "then": {"notify": who, "webhook": f"http://127.0.0.1:{port}"}}
            for who in (ALICE, BOB)
        )  # fmt: skip
        await opened(stage, first, second, secret="s3cret")
        room = await came(stage)
        await until(lambda: len(heard) == 2, "both hooks")
    finally:
        await runner.cleanup()
    for who in (ALICE, BOB):
        await stage.sees(room, f"🔔 {name_of(who)}: x.")


async def test_a_mail_to_two_inboxes_gets_one_automatic_answer(stage: Stage) -> None:
    rule = {"name": "hello", "when": {}, "then": {"snippet": "got"}}
    config = stage.config(rules=[rule])
    support = config["inboxes"]["support"]
    sales = {**support, "name": "Sales", "address": SALES}
    config["inboxes"] = {"support": {**support, "default": True}, "sales": sales}
    await stage.open(config)
    await stage.queue(ALICE)
    await ask(stage, await control_room(stage), "!snippet add got\nHello", "is added")
    await stage.mail(mail(to=f"{SUPPORT}, {SALES}"))
    await stage.conversation(2)
    await stage.quiet()
    assert len(stage.smtp.accepted()) == 1


async def test_what_a_forger_wrote_is_not_sent_on_in_our_name(stage: Stage) -> None:
    control = await opened(stage, {"name": "hello", "when": {}, "then": {"snippet": "got"}})
    text = "!snippet add got\nHello {name|you}, about {subject|your mail}: {number}"
    await ask(stage, control, text, "is added")
    await came(stage, subject="BUY http://evil.example", sender="Click evil <v@x.example>")
    (sent,) = await stage.sent()
    assert "evil" not in sent.as_string()
    assert "Hello you, about your mail: #1" in sent.as_string()


async def test_a_mistyped_time_hinders_nothing_else_and_is_refused_in_chat(stage: Stage) -> None:
    then = {"snooze": "tomorow", "assign": BOB, "notify": True}
    control = await opened(stage, {"name": "x", "when": {}, "then": then})
    room = await came(stage)
    await stage.sees(control, "'tomorow' is no time like 2d")
    await until(lambda: room.membership(BOB) == "invite", "the invitation")
    await stage.sees(await stage.queue(), "🔔 x: #1")
    await ask(stage, control, "!rule add support\nname: y\nwhen: {}\nthen: {snooze: tomorow}",
              "'tomorow' is no time")  # fmt: skip


async def test_rules_see_the_size_and_files_of_a_mail_that_stayed_in_the_mailbox(
    stage: Stage,
) -> None:
    config = stage.config(rules=[
        {"name": "big", "when": {"larger": "1 MB"}, "then": {"tag": "big"}},
        {"name": "files", "when": {"attachment": "*.bin"}, "then": {"tag": "files"}},
    ])  # fmt: skip
    config["limits"] = {"mail_size": 500_000}
    await stage.open(config)
    await stage.queue(ALICE, BOB)
    room = await came(stage, files=(("a.bin", "application/octet-stream", b"x" * 1_200_000),))
    assert "Tags: big, files" in await answered(stage, room, ALICE, "!tag")


async def test_who_a_rule_gives_a_conversation_to_is_mentioned_by_the_mail(stage: Stage) -> None:
    rule = {"name": "l", "when": {}, "then": {"assign": BOB}}
    await opened(stage, rule, assign="round-robin")
    room = await came(stage)
    shown = await stage.sees(room, "my display stays dark")
    assert shown["content"]["m.mentions"] == {"user_ids": [BOB]}


async def test_a_closed_conversation_is_not_put_to_sleep_by_a_machine(stage: Stage) -> None:
    await opened(stage, {"name": "l", "on": "reply", "when": {}, "then": {"snooze": "2d"}})
    room = await came(stage)
    await answered(stage, room, ALICE, "!close")
    await stage.mail(mail("I am away", message_id="<v@customer.example>",
                          In_Reply_To="<n1@customer.example>",
                          Auto_Submitted="auto-replied"))  # fmt: skip
    await stage.sees(room, "I am away")
    await stage.quiet()
    assert "closed" in room.state["m.room.topic", ""]["content"]["topic"]


async def test_an_automatic_answer_hides_no_colleagues(stage: Stage) -> None:
    rule = {"name": "hello", "on": "reply", "when": {}, "then": {"snippet": "got"}}
    control = await opened(stage, rule)
    await ask(stage, control, "!snippet add got\nHello", "is added")
    room = await came(stage)
    stage.hs.join(BOB, room.id)
    stage.hs.say(ALICE, room.id, "!reply one")
    await stage.sent()
    await stage.sees(room, "✅ sent")
    await stage.mail(mail("more", message_id="<n2@customer.example>",
                          In_Reply_To="<n1@customer.example>"))  # fmt: skip
    await stage.sent(2)
    await stage.quiet()
    stage.hs.say(BOB, room.id, "!reply two")
    await stage.sees(room, "Alice answered here less than a minute ago")


async def test_the_list_of_rules_says_all_of_them(stage: Stage) -> None:
    rule = {"name": "l", "on": "reply", "when": {"header": {"X-A": "1"}},
            "unless": {"kind": "automatic"}, "then": {"tag": "a"}}  # fmt: skip
    control = await opened(stage, rule)
    await ask(stage, control, "!rule list",
              "l: answers, header X-A: 1, unless kind automatic → tag a")  # fmt: skip
