"""Files whose caption is a command, and mentions in what leaves as email."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest

from tests.servers.matrix_state import Room
from tests.stage import ALICE, BOB, Stage
from tests.stories.desk import begun
from tests.stories.test_order import answered

PICTURE = b"\x89PNG\r\n\x1a\n"


def file(stage: Stage, caption: str, **more: Any) -> dict[str, Any]:
    stage.hs.media["mxc://fake.local/plan"] = PICTURE
    return {
        "msgtype": "m.image", "body": caption, "filename": "plan.png",
        "url": "mxc://fake.local/plan", "info": {"mimetype": "image/png", "size": 8}, **more,
    }  # fmt: skip


def send(stage: Stage, room: Room, content: dict[str, Any]) -> str:
    return stage.hs.send(ALICE, room.id, "m.room.message", content)


def text_of(sent: EmailMessage) -> str:
    part = sent.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def files_of(sent: EmailMessage) -> list[str | None]:
    return [part.get_filename() for part in sent.walk() if part.get_filename()]


@pytest.mark.parametrize(
    "caption",
    ["!reply Here is the plan", "！ reply: Here is the plan", "!REPLY\nHere is the plan",
     "\u200b!reply Here is the plan", "!send Here is the plan"],
)  # fmt: skip
async def test_a_caption_that_is_a_command_sends_the_file(stage: Stage, caption: str) -> None:
    room = await begun(stage)
    send(stage, room, file(stage, caption))
    sent = (await stage.sent(1))[0]
    assert files_of(sent) == ["plan.png"]
    assert text_of(sent).split("[plan.png]")[0].strip() == "Here is the plan"


@pytest.mark.parametrize(
    ("caption", "text"),
    [("Here is the plan", "Here is the plan"), ("!draft Here it is", "Here it is"),
     ("! draft:\u00a0Here it is", "Here it is"), ("plan.png", ""), ("!draft", "")],
)  # fmt: skip
async def test_an_envelope_on_a_caption_sends_no_command_word(
    stage: Stage, caption: str, text: str
) -> None:
    room = await begun(stage, None, ALICE, BOB)
    said = send(stage, room, file(stage, caption))
    if "draft" in caption:  # the command itself is stopped first
        await stage.sees(room, "✅ sends it")
        stage.hs.say(ALICE, room.id, "!no")
        await stage.sees(room, "nothing was sent")
    stage.hs.react(BOB, room.id, said, "📧")
    sent = (await stage.sent(1))[0]
    assert files_of(sent) == ["plan.png"]
    assert text_of(sent).split("[plan.png]")[0].strip() == text


async def test_a_caption_with_another_command_runs_it_and_is_no_mail(stage: Stage) -> None:
    room = await begun(stage)
    said = send(stage, room, file(stage, "!info"))
    await stage.sees(room, "State: open")
    stage.hs.react(ALICE, room.id, said, "📧")
    await stage.sees(room, "!info is a command, not a message to send.")
    send(stage, room, file(stage, "!rpely Here"))
    await stage.sees(room, "Did you mean !reply?")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_a_file_named_like_a_command_is_none(stage: Stage) -> None:
    room = await begun(stage)
    send(stage, room, file(stage, "!reply.png", filename="!reply.png"))
    old = file(stage, "!reply.png")
    del old["filename"]  # clients before captions: the body is the name
    send(stage, room, old)
    assert "State: open" in await answered(stage, room, ALICE, "!info")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_send_as_a_caption_sends_the_message_it_replies_to_with_the_file(
    stage: Stage,
) -> None:
    room = await begun(stage, None, ALICE, BOB)
    text = stage.hs.say(BOB, room.id, "Here is the manual")
    relation = {"m.relates_to": {"m.in_reply_to": {"event_id": text}}}
    send(stage, room, file(stage, "!send", **relation))
    sent = (await stage.sent(1))[0]
    assert text_of(sent).startswith("Here is the manual")
    assert files_of(sent) == ["plan.png"]


async def test_a_file_that_was_attached_can_be_sent_by_itself(stage: Stage) -> None:
    room = await begun(stage)
    said = send(stage, room, file(stage, "!attach"))
    await stage.sees(room, "goes with your next email.")
    stage.hs.react(ALICE, room.id, said, "📧")
    sent = (await stage.sent(1))[0]
    assert files_of(sent) == ["plan.png"]
    assert "attach" not in text_of(sent)


async def test_a_preview_shows_what_leaves_to_the_letter(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    stage.hs.say(ALICE, room.id, f"!draft Please ask {BOB}, typed by hand")
    shown = await stage.sees(room, "✅ sends it")
    assert f"Please ask {BOB}, typed by hand" in shown["content"]["body"]
    assert f"Please ask {BOB}" in shown["content"]["formatted_body"]


async def test_attach_as_a_caption_keeps_the_file_for_the_next_mail(stage: Stage) -> None:
    room = await begun(stage)
    send(stage, room, file(stage, "!attach"))
    await stage.sees(room, "📎 plan.png goes with your next email.")
    stage.hs.say(ALICE, room.id, "!reply Here it is")
    assert files_of((await stage.sent(1))[0]) == ["plan.png"]


async def test_compose_and_forward_take_the_file_along(stage: Stage) -> None:
    room = await begun(stage)
    send(stage, room, file(stage, "!forward eve@supplier.example Please look"))
    sent = (await stage.sent(1))[0]
    assert "plan.png" in files_of(sent)
    assert text_of(sent).startswith("Please look")
    queue = await stage.queue()
    send(stage, queue, file(stage, "!compose eve@supplier.example Plan\nHere it is"))
    sent = (await stage.sent(2))[1]
    assert files_of(sent) == ["plan.png"]
    assert text_of(sent).startswith("Here it is")


async def test_an_edited_caption_changes_the_mail(stage: Stage) -> None:
    room = await begun(stage, undo=5)
    said = send(stage, room, file(stage, "!reply Here"))
    await stage.sees(room, "❌ stops it")
    send(stage, room, {
        **file(stage, "* !reply Here is the plan"),
        "m.new_content": file(stage, "!reply Here is the plan"),
        "m.relates_to": {"rel_type": "m.replace", "event_id": said},
    })  # fmt: skip
    await stage.sees(room, "as edited")
    sent = (await stage.sent(1))[0]
    assert text_of(sent).startswith("Here is the plan")
    assert files_of(sent) == ["plan.png"]


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (f"!reply Ask [{BOB}](https://matrix.to/#/{BOB}), please", {}),
        (f"!reply Ask {BOB}, please", {"m.mentions": {"user_ids": [BOB]}}),
        ("!reply Ask [Bob](https://matrix.to/#/%40bob%3Afake.local), please", {}),
        (f"!reply Ask https://matrix.to/#/{BOB}, please", {}),
        ("!reply Ask Bob, please", {
            "format": "org.matrix.custom.html",
            "formatted_body": f'!reply Ask <a href="https://matrix.to/#/{BOB}">Bob</a>, please',
        }),
    ],
)  # fmt: skip
async def test_a_mention_leaves_as_a_name(stage: Stage, body: str, content: dict[str, Any]) -> None:
    room = await begun(stage, None, ALICE, BOB)
    stage.hs.say(ALICE, room.id, body, **content)
    sent = (await stage.sent(1))[0]
    assert text_of(sent).strip().casefold() == "ask bob, please"
    assert b"matrix.to" not in sent.as_bytes()
    assert b"fake.local" not in sent.get_body(("html",)).as_bytes()  # type: ignore[union-attr]  # it has one
