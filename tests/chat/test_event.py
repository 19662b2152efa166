"""Events as the homeserver gives them: what can be read, and what is left out."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.chat import event as events

GOOD: dict[str, Any] = {
    "event_id": "$a", "room_id": "!r", "sender": "@alice:hs", "type": "m.room.message",
    "content": {"body": "x\u0000y"}, "origin_server_ts": 5000,
}  # fmt: skip


def test_a_whole_event_is_read() -> None:
    found = events.read(GOOD, 9.0)
    assert found is not None
    assert (found.id, found.at, found.content["body"]) == ("$a", 5.0, "x\u0000y")


@pytest.mark.parametrize(
    "change",
    [
        {"event_id": "$a\u0000"},  # PostgreSQL stores no NUL
        {"sender": "@\ud800:hs"},  # nothing stores half a surrogate pair
        {"room_id": 7},
        {"content": "text"},
        {"type": None},
    ],
)
def test_what_cannot_be_stored_is_left_out(change: dict[str, Any]) -> None:
    assert events.read({**GOOD, **change}, 9.0) is None
    assert events.id_of({**GOOD, **change})


def test_something_else_than_an_event_has_no_id() -> None:
    assert events.read(["no", "event"], 9.0) is None
    assert events.id_of(["no", "event"]) == "none"
