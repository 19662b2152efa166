"""The body of a push: one odd event in it spoils no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.matrix import transaction


def event(number: int, **more: Any) -> dict[str, Any]:
    return {"event_id": f"${number}", "room_id": "!r", "content": {"body": 'x"],[{'}, **more}


def body(*events: str) -> bytes:
    return f'{{"txn": [1], "x": "events", "events": [{", ".join(events)}], "z": {{}}}}'.encode()


def test_a_body_is_read_with_everything_in_it() -> None:
    whole = {"events": [event(1)], "ephemeral": [{"type": "m.receipt"}]}
    assert transaction.read(json.dumps(whole).encode()) == whole


@pytest.mark.parametrize(
    "odd",
    [
        '{"event_id": "$odd", "room_id": "!r", "content": {"n": ' + "[" * 9000 + "]" * 9000 + "}}",
        '{"event_id": "$odd", "room_id": "!r", "content": {"a": {"b": 1,}}}',
        '{"event_id": "$odd", "room_id": "!r", "content": nothing}',
    ],
)
def test_an_event_that_cannot_be_read_leaves_its_ids_and_the_others(odd: str) -> None:
    good = [json.dumps(event(number)) for number in (1, 2)]
    found = transaction.read(body(good[0], odd, good[1]))["events"]
    assert found == [event(1), {"event_id": "$odd", "room_id": "!r"}, event(2)]


def test_numbers_of_thousands_of_digits_mean_nothing() -> None:
    digits = "9" * 5000
    found = transaction.read(body(f'{{"event_id": "$1", "origin_server_ts": {digits}}}'))
    assert found["events"] == [{"event_id": "$1", "origin_server_ts": None}]


def test_bytes_that_are_no_text_spoil_one_word() -> None:
    found = transaction.read(b'{"events": [{"event_id": "$1", "body": "a\xffb"}]}')
    assert found["events"] == [{"event_id": "$1", "body": "a\ufffdb"}]


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"events": 5}', b'{"events": {}}', b"\xff", b'{"events": [', b"{"]
)
def test_what_holds_no_events_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="no list of events"):
        transaction.read(raw)
