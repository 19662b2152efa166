"""What counts as a command, a reply and an edit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.chat import command, event, room
from bridge.model import Address, Content, Mxid

COMMANDS = command.CommandReader("!", {"reply", "close"})


def said(body: str, **more: Any) -> Content:
    return {"msgtype": "m.text", "body": body, **more}


REPLY = {"m.relates_to": {"m.in_reply_to": {"event_id": "$x"}}}
FALLBACK = {"m.relates_to": {"rel_type": "m.thread", "event_id": "$t", "is_falling_back": True,
                             "m.in_reply_to": {"event_id": "$x"}}}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (said("!reply Hello"), ("reply", "Hello")),
        (said("!REPLY\nHello\n\nyou"), ("reply", "Hello\n\nyou")),
        (said("!reply"), ("reply", "")),
        (said(" !reply Hello"), ("reply", "Hello")),
        (said("please !reply"), None),
        (said("!"), None),
        (said("!!"), None),
        (said("!reply-all x"), ("reply-all", "x")),
        (said("> <@bob:x> !reply quoted\n\nyes", **REPLY), None),
        (said("> <@bob:x> talk\n\n!reply Hello", **REPLY), ("reply", "Hello")),
        (said("> !reply quoted by hand"), None),
        (said("!reply x", **{"m.relates_to": {"rel_type": "m.replace", "event_id": "$e"}}), None),
        ({"msgtype": "m.notice", "body": "!reply from a bot"}, None),
        ({"msgtype": "m.text", "body": 5}, None),
        ({}, None),
    ],
)
def test_commands(content: Content, expected: tuple[str, str] | None) -> None:
    found = COMMANDS.of(content)
    assert (None if found is None else (found.name, found.rest)) == expected


def test_a_threads_fallback_is_no_reply() -> None:
    assert command.replied_to(said("x", **REPLY)) == "$x"
    assert command.replied_to(said("x", **FALLBACK)) is None
    assert command.replied_to(said("x", **{"m.relates_to": "nonsense"})) is None


def test_emoji_compare_without_variants_and_skin_tones() -> None:
    assert command.emoji("✋🏽") == command.HAND
    assert command.emoji("📧\ufe0f") == command.MAIL
    assert command.emoji("❌\ufe0e") == command.CROSS


def test_the_newest_edit_counts_when_its_author_is_the_same() -> None:
    new = {"m.new_content": said("new")}
    edit = {"sender": "@a:x", "content": new}
    original = {"sender": "@a:x", "content": said("old", **REPLY)}
    unsigned = {"m.relations": {"m.replace": edit}}
    latest = command.latest({**original, "unsigned": unsigned})
    assert latest is not None
    assert (latest["body"], latest["m.relates_to"]) == ("new", REPLY["m.relates_to"])
    forged = {"m.relations": {"m.replace": {**edit, "sender": "@mallory:x"}}}
    assert (command.latest({**original, "unsigned": forged}) or {})["body"] == "old"
    assert command.latest({"sender": "@a:x", "content": {}}) is None


@pytest.mark.parametrize(
    "raw",
    [
        None,
        5,
        {},
        {"event_id": 1},
        {"event_id": "$a", "room_id": "!r", "sender": "@a:x", "type": "t"},
    ],
)
def test_malformed_events_are_parked(raw: Any) -> None:
    with pytest.raises(event.Malformed):
        event.read(raw, 0.0)


def test_what_concerns_us() -> None:
    def asks(type_: str, content: Content, sender: str = "@alice:x", **more: Any) -> bool:
        raw = {"event_id": "$a", "room_id": "!r", "sender": sender, "type": type_,
               "content": content, **more}  # fmt: skip
        read = event.read(raw, 0.0)
        assert read is not None
        return event.concerns_us(read, "@email_", Mxid("@email_bot:x"), COMMANDS)

    assert asks("m.room.message", said("!reply x"))
    assert not asks("m.room.message", said("plain talk"))
    assert not asks("m.room.message", said("!reply x"), "@email_carla=40x:x")
    assert not asks("m.room.member", {"membership": "join"}, state_key="@email_carla=40x:x")
    assert asks("m.room.member", {"membership": "leave"}, "@email_bot:x", state_key="@alice:x")
    assert asks("m.room.member", {"membership": "invite"}, state_key="@email_bot:x")
    assert not asks("m.typing", {})


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
@example("a b", "a=20b")
def test_T09_every_address_is_its_own_ghost(one: str, other: str) -> None:
    names = [room.ghost_localpart("email_", Address(f"{each}@x.example")) for each in (one, other)]
    for name in names:
        assert len(f"@{name}:a-server-of-some-length.example") <= 255
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._=-/")
    same = one.casefold().encode("utf-8", "replace") == other.casefold().encode("utf-8", "replace")
    assert (names[0] == names[1]) == same


def test_power_levels_name_the_creator_only_in_older_rooms() -> None:
    assert "@bot:x" not in room.conversation_power([], "12", "@bot:x")["users"]
    assert room.conversation_power([], "11", "@bot:x")["users"] == {"@bot:x": 100}


def test_commands_of_our_texts_take_the_prefix_and_no_other_word_does() -> None:
    text = "Say !take, or (!help); !important and x!take are words of others."
    said = command.named(text, "p!", {"take", "help"})
    assert said == "Say p!take, or (p!help); !important and x!take are words of others."
    assert command.named(said, "p!", {"take", "help"}) == said
    assert command.named("!phelp", "!p", {"help"}) == "!phelp"
