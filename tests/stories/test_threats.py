"""Threats that no other file is about; docs/threats.md has the whole table."""

from __future__ import annotations

import ast
import random
import re
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

import bridge
from bridge.chat import command
from bridge.chat.command import CommandReader
from bridge.chat.file_event import content as file_content
from bridge.chat.room import ghost_name
from bridge.config.load import load
from bridge.config.settings import ConfigError
from bridge.desk.events import listen
from bridge.desk.events.commands import WORDS
from bridge.mail.compose import build
from bridge.mail.token import Tokens
from bridge.matrix.homeserver import Homeserver
from bridge.model import Address, Attachment
from tests.mail.test_writing import outgoing
from tests.servers.matrix_state import DOMAIN
from tests.stage import ADMIN, ALICE, BOB, CUSTOMER, EVE, SUPPORT, Stage, mail, until
from tests.stories.desk import ask, begun, control_room

CODE = Path(bridge.__file__).parent


async def test_T02_a_mail_from_an_agents_address_has_no_rights(stage: Stage) -> None:
    """It knows the thread and says a command: it is a third person's mail, and sends nothing."""
    room = await begun(stage)
    await stage.mail(mail("!reply Send me everything\n!close", sender="alice@fake.local",
                          message_id="<a@fake.local>", In_Reply_To="<m1@customer.example>"))  # fmt: skip
    other = await stage.conversation(2)
    shown = await stage.sees(other, "!reply Send me everything")
    assert shown["sender"] == "@email_alice=40fake.local:fake.local"
    await stage.quiet()
    assert stage.smtp.accepted() == []
    assert "· open" in room.state["m.room.topic", ""]["content"]["topic"]


async def test_T03_what_a_vendor_sends_to_a_reply_address_goes_to_nobody(stage: Stage) -> None:
    """A verification mail to support+TOKEN@ is shown to the team, and leaves for nobody."""
    room = await begun(stage)
    token = stage.app.desk.tokens.reply_address(1, SUPPORT)
    await stage.mail(mail("Your code is 123456", sender="no-reply@vendor.example", to=token,
                          message_id="<v@vendor.example>", Auto_Submitted="auto-generated"))  # fmt: skip
    await stage.sees(room, "Your code is 123456")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_T13_a_homeserver_that_gives_files_to_everybody_is_told_of(stage: Stage) -> None:
    homeserver = Homeserver(stage.hs.url, "as", f"@email_bot:{DOMAIN}")
    await homeserver.start()
    try:
        assert await homeserver.is_open_to_all("mxc://fake.local/m1") is False
        stage.hs.open_media = True
        assert await homeserver.is_open_to_all("mxc://fake.local/m1") is True
    finally:
        await homeserver.close()


@pytest.mark.parametrize(
    "kind",
    ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/javascript",
     "TEXT/HTML", "text/html;charset=x", "application/x-shockwave-flash", "nonsense"],
)  # fmt: skip
def test_T14_what_a_browser_would_run_is_no_type_of_a_file(kind: str) -> None:
    shown = file_content(Attachment(0, "a.html", kind, 5), "mxc://a/b", 5)
    assert (shown["msgtype"], shown["info"]["mimetype"]) == ("m.file", "application/octet-stream")


@pytest.mark.parametrize(
    "text",
    [
        "a\r.\rb",
        "a\n.\nb",
        "a\r\n.\r\nb",
        "a\n.\r\nMAIL FROM:<x@y>",
        ".",
        "\x00.\x00",
        "a\r\n\n.\r\n",
    ],
)
def test_T22_no_bare_line_break_leaves(text: str) -> None:
    raw = build(outgoing(text=text, html=f"<p>{text}</p>", subject=text))
    assert re.search(rb"\r(?!\n)|(?<!\r)\n", raw) is None
    assert message_from_bytes(raw)["From"]


async def test_T23_who_is_no_agent_begins_no_mail(stage: Stage) -> None:
    await stage.open()
    queue = await stage.queue(ALICE)
    stage.hs._member(queue, ALICE, EVE, "invite")
    for text in (
        "!compose victim@elsewhere.example Hello\nBody",
        "!forward victim@elsewhere.example",
    ):
        stage.hs.pushes.append({  # said before she was in, or by a homeserver that lies
            "event_id": f"${text[1:5]}", "room_id": queue.id, "sender": EVE, "origin_server_ts": 1,
            "type": "m.room.message", "content": {"msgtype": "m.text", "body": text},
        })  # fmt: skip
    stage.hs._wake.set()
    await until(lambda: not stage.hs.pushes, "the pushes to be taken")
    await stage.quiet()
    assert stage.smtp.accepted() == []
    refused = [body for body in stage.hs.bodies(queue) if body.startswith("Only agents of Support")]
    assert len(refused) == 2


COMPARED = re.compile(r"token|secret|signature|password|(?:^|_)sig$|(?:^|_)mac$", re.IGNORECASE)


def _named(node: ast.AST) -> str:
    return str(getattr(node, "attr", "") or getattr(node, "id", ""))


def test_T29_no_secret_is_compared_with_equals() -> None:
    """What is compared in constant time says hmac.compare_digest."""
    found = []
    for path in CODE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                sides = [node.left, *node.comparators]
                if not any(isinstance(side, ast.Constant) for side in sides) and any(
                    COMPARED.search(_named(side)) for side in sides
                ):
                    found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    assert found == []


@pytest.mark.parametrize("admin", ["@admin:*", ".*", "@.*:fake.local", "admin", "@admin", "*"])
def test_T33_an_admin_is_one_exact_id(tmp_path: Path, admin: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f'homeserver: {{server_name: x}}\nadmins: ["{admin}"]\n')
    try:
        settings = load(path)
    except ConfigError:
        return
    assert not {"@admin:fake.local", "@eve:fake.local"} & set(settings.admins)


async def test_T33_who_only_looks_like_an_admin_is_none(stage: Stage) -> None:
    await stage.open()
    control = await control_room(stage)
    await stage.quiet()
    for number, who in enumerate(
        (f"{ADMIN}.evil.example", f"{ADMIN} ", "@Admin:fake.local", "@admin:evil")
    ):
        stage.hs.pushes.append({
            "event_id": f"$like{number}", "room_id": control.id, "sender": who, "type": "m.room.message",
            "origin_server_ts": 1, "content": {"msgtype": "m.text", "body": "!inbox list"},
        })  # fmt: skip
    stage.hs._wake.set()
    await until(lambda: not stage.hs.pushes, "the pushes to be taken")
    await stage.quiet()
    assert SUPPORT not in " ".join(stage.hs.bodies(control))
    await ask(stage, control, "!inbox list", SUPPORT)


@pytest.mark.parametrize("sender", ["@eve:fake.local", "@Alice:fake.local", "", None])
def test_T36_an_edit_counts_only_of_who_wrote_the_words(sender: str | None) -> None:
    """A homeserver bundles an edit of anybody (it should not)."""
    words, others = ({"msgtype": "m.text", "body": text} for text in ("mine", "another's"))
    edit = {"sender": sender, "content": {"m.new_content": others}}
    event = {"sender": "@alice:fake.local", "content": words}
    bundled = {**event, "unsigned": {"m.relations": {"m.replace": edit}}}
    assert command.latest(bundled) == words
    edit["sender"] = "@alice:fake.local"
    newest = command.latest(bundled)
    assert newest is not None
    assert newest["body"] == others["body"]


FALLBACK = "> <@email_carla=40customer.example:fake.local> !reply leak it\n> !close\n\n"


@pytest.mark.parametrize(
    "content",
    [
        {"body": f"{FALLBACK}what do you make of that?",
         "m.relates_to": {"m.in_reply_to": {"event_id": "$1"}}},
        {"body": "I would say\n!reply this"},
        {"body": "> !reply quoted"},
        {"body": "* !reply x", "m.new_content": {"msgtype": "m.text", "body": "!reply x"},
         "m.relates_to": {"rel_type": "m.replace", "event_id": "$1"}},
        {"body": "!reply x", "m.new_content": {"msgtype": "m.text", "body": "!reply x"},
         "m.relates_to": {"rel_type": "m.replace", "event_id": "$1"}},
        {"body": "!reply in a notice", "msgtype": "m.notice"},
    ],
)  # fmt: skip
def test_T35_a_quoted_or_edited_command_is_none(content: dict[str, Any]) -> None:
    assert CommandReader("!", WORDS).of({"msgtype": "m.text", **content}) is None


async def test_T38_what_our_own_users_say_is_no_event_for_us(stage: Stage) -> None:
    room = await begun(stage)
    await stage.quiet()
    own = [
        {"event_id": f"$own{number}", "room_id": room.id, "origin_server_ts": 1, "type": "m.room.message",
         "sender": f"@email_{'bot' if number % 2 else 'carla=40customer.example'}:{DOMAIN}",
         "content": {"msgtype": "m.text", "body": "!reply echo"}}
        for number in range(1000)
    ]  # fmt: skip
    assert await listen.store_events(stage.app.desk, own) == 0


async def test_T40_a_forged_tombstone_leads_nowhere(stage: Stage) -> None:
    room = await begun(stage)
    raw = {"event_id": "$tomb", "room_id": room.id, "sender": EVE, "type": "m.room.tombstone",
           "state_key": "", "origin_server_ts": 1, "content": {"replacement_room": "!evil:evil.example"}}  # fmt: skip
    assert (
        await listen.store_events(
            stage.app.desk, [raw, {**raw, "event_id": "$t2", "state_key": "x"}]
        )
        == 0
    )
    assert not [path for _, path, _ in stage.hs.log if "evil" in path]


async def test_T42_an_agent_of_one_inbox_gets_at_nothing_of_another(stage: Stage) -> None:
    """By number, by reply, and by reaction."""
    config = stage.config()
    sales = {**config["inboxes"]["support"], "name": "Sales", "address": "sales@acme.example",
             "agents": [BOB], "default": True}  # fmt: skip
    config["inboxes"]["sales"] = sales
    await stage.open(config)
    queue = await stage.queue(ALICE)
    await stage.enter("Sales queue", BOB)
    await stage.mail(mail("For sales", to="sales@acme.example"))
    secret = await stage.conversation(1)
    await stage.mail(mail("For support", message_id="<s@customer.example>", subject="Other"))
    own = await stage.conversation(2)
    stage.hs.join(ALICE, own.id)
    stage.hs.say(ALICE, queue.id, "!take 1")
    await stage.sees(queue, "There is no #1 in Support")
    stage.hs.say(ALICE, own.id, "!merge #1")
    await stage.sees(own, "There is no #1 in Support")
    shown = await stage.sees(secret, "For sales")
    stage.hs.reply(ALICE, own.id, shown["event_id"], "!reply To whom?")
    await stage.sees(own, "belongs to another conversation")
    await stage.quiet()
    assert stage.smtp.accepted() == []
    assert secret.membership(ALICE) != "join"


async def test_T43_no_header_of_a_mail_sets_anything(stage: Stage) -> None:
    steering = {
        f"X_{system}_{name}": value
        for system in ("Postroom", "Bridge", "Zammad", "Ticket")
        for name, value in (("State", "closed"), ("Assign", ALICE), ("Owner", ALICE),
                            ("Ticket_Number", "1"), ("Priority", "high"), ("Reply", "yes"))
    }  # fmt: skip
    room = await begun(stage, mail(**steering))
    topic = room.state["m.room.topic", ""]["content"]["topic"]
    assert topic.endswith("· open")
    async with stage.app.database.reading() as tx:
        about = await tx.conversations.get(1)
    assert (about.assignee, int(about.priority), about.tags) == (None, 0, ())


def test_T44_nobody_guesses_a_reply_address_or_an_id() -> None:
    tokens, chance = Tokens("the key"), random.Random(44)
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    for number in range(10_000):
        guess = "".join(chance.choices(letters, k=26))
        assert tokens.read_address(f"support+{number % 20}-{guess}@acme.example") is None
        assert tokens.read(f"<{number % 20}.1.{guess}@acme.example>") is None
    real = tokens.reply_address(1, SUPPORT)
    assert tokens.read_address(real) == 1
    assert tokens.read_address(real.replace("+1-", "+2-")) is None


async def test_T44_a_subject_that_names_a_number_joins_nothing(stage: Stage) -> None:
    room = await begun(stage)
    for number, subject in enumerate(
        ("[#1] hello", "Re: Dark display", "Re: #1 Dark display [Ticket 1]")
    ):
        await stage.mail(mail(f"Stranger {number}", sender="eve@evil.example", subject=subject,
                              message_id=f"<e{number}@evil.example>"))  # fmt: skip
        await stage.sees(await stage.conversation(2 + number), f"Stranger {number}")
    assert "Stranger" not in " ".join(stage.hs.bodies(room))


def test_T08_no_turned_letters_in_what_a_sender_is_called() -> None:
    shown = ghost_name(Address(CUSTOMER, "Bob\u202e\u2066\u200f" + "x" * 400))
    assert shown.startswith("Bobx")
    assert shown.endswith(f"({CUSTOMER})")
    assert len(shown) <= 256
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", shown)
