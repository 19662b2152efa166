"""Events as the homeserver gives them: what is read, what is cleaned, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.chat import command
from bridge.chat import event as events
from bridge.chat.content import cleaned

COMMANDS = command.CommandReader("!", {"reply"})
GOOD: dict[str, Any] = {
    "event_id": "$a", "room_id": "!r", "sender": "@alice:hs", "type": "m.room.message",
    "content": {"body": "x\u0000y"}, "origin_server_ts": 5000,
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
# What people's clients may put where the spec has a place for something.
ODD = st.dictionaries(
    st.sampled_from(["msgtype", "body", "m.relates_to", "m.mentions", "m.new_content", "format",
                     "formatted_body", "membership", "redacts", "filename", "info", "url"]),
    JSON | st.dictionaries(
        st.sampled_from(["rel_type", "event_id", "key", "m.in_reply_to", "user_ids", "size"]),
        JSON | st.sampled_from(["m.replace", "m.annotation", "$e", "✅"]),
    ),
)  # fmt: skip


def test_a_whole_event_is_read_and_what_nothing_can_hold_is_cleaned_away() -> None:
    found = events.read(GOOD, 9.0)
    assert (found.id, found.at, found.content["body"]) == ("$a", 5.0, "xy")
    odd = {**GOOD, "content": {"\0k\ud800": ["\ud83d\ude00", "a\udc00b", float("inf")]}}
    assert events.read(odd, 9.0).content == {"k\ufffd": ["😀", "a\ufffdb", None]}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"event_id": "$a\u0000"}, "its event_id holds characters that no text has"),
        ({"sender": "@\ud800:hs"}, "its sender holds"),
        ({"room_id": 7}, "its room_id is no text"),
        ({"content": "text"}, "its content is no object"),
        ({"content": None}, "its content is no object"),
        ({"type": None}, "its type is no text"),
        ({"type": "t" * 256}, "its type is longer than 255 bytes"),
        ({"state_key": "@a\0"}, "its state_key holds"),
        ({"state_key": []}, "its state_key is no text"),
    ],
)
def test_what_an_event_is_known_by_must_be_text_that_can_be_stored(
    change: dict[str, Any], why: str
) -> None:
    with pytest.raises(events.Malformed, match=why):
        events.read({**GOOD, **change}, 9.0)


@pytest.mark.parametrize(
    "change",
    [
        {"unsigned": []},
        {"unsigned": "x"},
        {"unsigned": {"prev_content": ["join"]}},
        {"unsigned": {"prev_content": {"membership": ["join"]}}},
        {"unsigned": {"prev_content": {"membership": "\0"}}},
        {"origin_server_ts": 10**400},
        {"origin_server_ts": -1},
        {"origin_server_ts": True},
        {"origin_server_ts": "yesterday"},
        {"redacts": ["$a"]},
        {"redacts": "$\0"},
    ],
)
def test_what_says_little_is_passed_over_when_it_is_odd(change: dict[str, Any]) -> None:
    found = events.read({**GOOD, **change}, 9.0)
    assert found.redacts is None
    assert found.prev_membership == ""
    assert found.at == (9.0 if "origin_server_ts" in change else 5.0)


def test_something_else_than_an_event_has_no_id() -> None:
    with pytest.raises(events.Malformed, match="it is no object"):
        events.read(["no", "event"], 9.0)
    assert events.known_by(["no", "event"]) == {}
    assert events.known_by({**GOOD, "sender": "@\0", "type": 7}) == {
        "event_id": "$a", "room_id": "!r"
    }  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_whatever_is_cleaned_can_be_stored_and_sent(value: Any) -> None:
    text = json.dumps(cleaned(value), ensure_ascii=False, allow_nan=False)
    assert "\0" not in text
    text.encode()


@settings(max_examples=300, deadline=None)
@given(ODD, st.fixed_dictionaries({}, optional={"unsigned": JSON, "redacts": JSON, "x": JSON}))
def test_no_content_of_an_event_raises_where_it_is_read(
    content: dict[str, Any], more: dict[str, Any]
) -> None:
    event = events.read({**GOOD, **more, "content": content}, 9.0)
    for kind in ("m.room.message", "m.reaction", "m.room.redaction", "m.room.member"):
        raw = {**GOOD, **more, "content": content, "type": kind, "state_key": "@bob:hs"}
        events.concerns_us(events.read(raw, 9.0), "@email_", "@email_bot:hs", COMMANDS)
    for content in (event.content, {**event.content, "msgtype": "m.text"}):
        COMMANDS.of(content)
        command.new_text(content)
        command.replied_to(content)
        command.mentioned(content)
        command.edited(content)
        command.reaction(content)
        command.is_file(content)
    command.latest({**GOOD, **more, "content": content})
    command.latest({**GOOD, "unsigned": {"m.relations": {"m.replace": content}}})


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_no_receipt_raises(value: Any) -> None:
    events.receipts(value)
    events.receipts({"type": "m.receipt", "room_id": value, "content": value})
    events.receipts({"type": "m.receipt", "content": {"$e": {"m.read": value}}})
    read = {"@a:hs": {"ts": value}}
    events.receipts({"type": "m.receipt", "room_id": "!r", "content": {"$e": {"m.read": read}}})
