"""Header, greeting, signature, footer and contact card: set by chat, seen before, and as sent."""

from __future__ import annotations

from email.message import EmailMessage

import aiohttp
import pytest

from bridge.demo.ports import free_ports
from bridge.model import InboxId, Permanent
from bridge.sandbox import drawing
from tests.servers.matrix_state import Room
from tests.stage import ALICE, SUPPORT, Stage, mail, until
from tests.stories.desk import ask, begun, control_room

HEADER = "<style>.bar{background-color:#0b6bcb;color:#fff}</style><p class=bar>Acme</p>"
CARD = {"organization": "Acme GmbH", "phone": "+49 30 1234"}


def text_of(sent: EmailMessage) -> str:
    part = sent.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n").strip()


async def by_chat(stage: Stage) -> Room:
    """An inbox set up by chat, and the control room."""
    await stage.open(stage.config() | {"inboxes": {}})
    control = await control_room(stage)
    settings = stage.config()["inboxes"]["support"]
    for said in (f"!inbox add {SUPPORT}", "!cancel"):
        await ask(stage, control, said)
    for server in ("imap", "smtp"):
        for key, value in settings[server].items():
            await ask(stage, control, f"!inbox set support {server}.{key} {value}")
    await ask(stage, control, f"!inbox set support agents {ALICE}")
    await ask(stage, control, "!inbox set support undo 0")
    await ask(stage, control, "!inbox publish support", "is live")
    return control


async def test_templates_set_by_chat_stand_around_what_agents_write(stage: Stage) -> None:
    control = await by_chat(stage)
    for kind, text in (
        ("header", HEADER), ("greeting", 'Hello {{ contact.first_name or "there" }},'),
        ("signature", "```\n{{ agent.name }}\nAcme Support\n```"), ("footer", "Acme GmbH, Berlin"),
    ):  # fmt: skip
        said = await ask(stage, control, f"!template set support {kind}\n{text}")
        assert said.startswith(f"The {kind} of support is set. !template preview support")
    shown = await ask(stage, control, "!template show support", "footer, below everything: Acme")
    assert HEADER in shown
    await stage.queue(ALICE)
    await stage.mail(mail(sender="Carla Doe <carla@customer.example>"))
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply It is **fixed**.")
    stage.hs.say(ALICE, room.id, "!reply Hello Carla,\nonce more.")
    first, second = await stage.sent(2)
    assert text_of(first) == (
        "Acme\n\nHello Carla,\n\nIt is **fixed**.\n\n-- \nAlice\nAcme Support\n\nAcme GmbH, Berlin"
    )
    assert text_of(second).count("Hello Carla,") == 1, "nobody is greeted twice"
    html = first.get_body(("html",)).get_content()  # type: ignore[union-attr]  # it has HTML
    assert '<p style="background-color:#0b6bcb;color:#fff">Acme</p>' in html
    assert "<style>" not in html
    await ask(stage, control, "!template clear support header", "is taken away")
    assert HEADER not in await ask(stage, control, "!template show support")


async def test_a_bad_template_is_refused_with_its_fault_and_changes_nothing(stage: Stage) -> None:
    control = await by_chat(stage)
    await ask(stage, control, "!template set support footer\nAcme")
    for text, said in (
        ("a\n{{ contact.fist_name }}", "line 2: contact.fist_name is no variable; did you mean"),
        ("{% for x in y %}{% endfor %}", "a loop cannot stand in a template"),
        ('<link rel=stylesheet href="file:///etc/passwd">', "no style sheet is loaded"),
    ):
        answer = await ask(stage, control, f"!template set support footer\n{text}", said)
        assert answer.endswith("Nothing was changed.")
    await ask(stage, control, "!template set support fotter\nx", "Kinds: header, greeting")
    await ask(stage, control, "!template set support footer", "The text is missing")
    await ask(stage, control, "!template set nobody footer\nx", "There is no inbox nobody")
    await ask(stage, control, "!template set acme.example footer\nx", "was not added yet")
    await ask(stage, control, "!template show support", "below everything: Acme")


@pytest.mark.parametrize("has_pages", [True, False])
async def test_a_preview_shows_the_mail_as_text_picture_and_bytes(
    stage: Stage, has_pages: bool
) -> None:
    config = stage.config(header=HEADER, footer="{{ inbox.name }} · Berlin", card=CARD)
    if has_pages:
        (port,) = free_ports(1)
        config |= {"public_url": f"http://127.0.0.1:{port}", "public": {"port": port}}
    await stage.open(config)
    control = await control_room(stage)
    said = await ask(stage, control, "!template preview support")
    event = await stage.sees(control, "What a mail of Support looks like")
    said = event["content"]["body"]
    assert "From: Bob Example from Support <support@acme.example>" in said
    assert "Files: Support.vcf" in said
    assert "Support · Berlin" in said

    def files() -> list[dict[str, str]]:
        return [e["content"] for e in stage.hs.messages(control) if "url" in e["content"]]

    pictures = "No picture" not in said
    count = int(pictures) + (not has_pages)
    found = await until(lambda: len(files()) == count and files(), "the files") if count else []
    names = {each["body"] for each in found}
    assert ("support.png" in names) is pictures
    assert ("support.eml" in names) is not has_pages
    await stage.quiet()
    assert stage.smtp.accepted() == []
    if not has_pages:
        return
    link = next(word for word in said.split() if word.startswith(config["public_url"]))
    async with aiohttp.ClientSession() as http, http.get(f"{link}/source") as answer:
        assert answer.status == 200
        assert "Subject: Re: Where is my order?" in await answer.text()
    other = link.replace("template", "draft")
    async with aiohttp.ClientSession() as http, http.get(other) as answer:
        assert answer.status == 404


async def test_a_picture_is_drawn_and_loads_nothing() -> None:
    try:
        picture = await drawing.draw('<h1>Hi</h1><img src="http://127.0.0.1:1/" alt="x">')
    except Permanent as error:
        pytest.skip(str(error))
    assert picture.startswith(b"\x89PNG")


async def test_the_first_answer_to_somebody_brings_the_contact_card(stage: Stage) -> None:
    room = await begun(stage, undo=0, card=CARD)
    stage.hs.say(ALICE, room.id, "!draft First")
    await stage.sees(room, "Files: Support.vcf")
    stage.hs.say(ALICE, room.id, "!yes")
    (first,) = await stage.sent()
    (card,) = list(first.iter_attachments())
    assert card.get_filename() == "Support.vcf"
    assert card.get_content_type() == "text/vcard"
    assert b"ORG:Acme GmbH\r\n" in card.get_payload(decode=True)
    await stage.sees(room, "✅ sent")
    stage.hs.say(ALICE, room.id, "!reply Second")
    _, second = await stage.sent(2)
    assert list(second.iter_attachments()) == []
    await stage.mail(mail("Another matter", message_id="<2@x>", subject="Bill"))
    other = await stage.conversation(2)
    stage.hs.join(ALICE, other.id)
    stage.hs.say(ALICE, other.id, "!reply Third")
    third = (await stage.sent(3))[2]
    assert list(third.iter_attachments()) == [], "the same person has it"


async def test_a_card_is_no_file_that_could_be_too_large(stage: Stage) -> None:
    room = await begun(stage, undo=0, card=CARD, attachments=0)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    assert [each.get_filename() for each in sent.iter_attachments()] == ["Support.vcf"]


async def test_a_card_ends_with_its_last_line(stage: Stage) -> None:
    control = await by_chat(stage)
    await ask(stage, control, "!inbox set support card.phone +49 30 1234")
    assert stage.app.desk.settings.inboxes[InboxId("support")].card is not None
    await ask(stage, control, "!inbox set support card.phone call me", "does not fit")
    await ask(stage, control, "!inbox set support card.phone -")
    assert stage.app.desk.settings.inboxes[InboxId("support")].card is None


async def test_templates_of_config_yaml_are_shown_and_not_changed(stage: Stage) -> None:
    await stage.open(footer="From the file")
    control = await control_room(stage)
    await ask(stage, control, "!template show support", "below everything: From the file")
    await ask(stage, control, "!template set support footer\nx", "is in config.yaml, which chat")
