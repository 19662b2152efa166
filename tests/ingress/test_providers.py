"""The table of those who post mail: whatever they send, it is read, or said to be no mail."""

from __future__ import annotations

import contextlib
import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ingress import rebuild
from bridge.ingress.posted import Broken, Posted, Unusable
from bridge.ingress.providers import KINDS
from tests.ingress import posts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text() | st.sampled_from(
        ["msg", "event", "raw_msg", "headers", "attachments", "From", "Headers", "Attachments",
         "Type", "Message", "receipt", "mail", "content", "RawEmail", "envelope"]), inner,
        max_size=5), max_leaves=12)  # fmt: skip
FORM = "application/x-www-form-urlencoded"
NAMES = ["mandrill_events", "envelope", "email", "headers", "text", "charsets", "attachment1",
         "attachment-info", "body-mime", "message-headers", "recipient", "from"]  # fmt: skip


def posted(body: bytes, kind: str = "application/json") -> Posted:
    return Posted(kind, {}, {}, body)


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.binary(), type_=st.sampled_from([FORM, "multipart/form-data; boundary=B", "x", ""]))
def test_whatever_comes_is_read_or_said_to_be_no_mail(kind: str, body: bytes, type_: str) -> None:
    with contextlib.suppress(Broken, Unusable):
        KINDS[kind].read(posted(body, type_))


@pytest.mark.parametrize("kind", ["postmark", "ses"])
@given(value=JSON, inner=JSON)
def test_whatever_json_comes_is_read_or_said_to_be_no_mail(
    kind: str, value: Any, inner: Any
) -> None:
    outer = {"Type": "Notification", "Message": json.dumps(inner), "From": "x",
             **(value if isinstance(value, dict) else {})}  # fmt: skip
    with contextlib.suppress(Broken, Unusable):
        KINDS[kind].read(posted(json.dumps(outer).encode()))


@pytest.mark.parametrize("kind", ["mandrill", "sendgrid", "mailgun"])
@given(values=st.lists(st.tuples(st.sampled_from(NAMES), JSON), max_size=6), event=JSON)
def test_whatever_form_comes_is_read_or_said_to_be_no_mail(
    kind: str, values: list[tuple[str, Any]], event: Any
) -> None:
    fields = [(name, json.dumps(value).encode()) for name, value in values]
    events = json.dumps([{"event": "inbound", "msg": event}]).encode()
    request = posts.form([("headers", b"From: a@b.example"), ("mandrill_events", events), *fields])
    with contextlib.suppress(Broken, Unusable):
        KINDS[kind].read(posted(request.body, request.headers["Content-Type"]))


@pytest.mark.parametrize("value", [
    bytes(range(256)) * 4, b"a=b&c%41+d e%", b"\r\n.\r\n=\r\n==20=3D", "Grüße".encode(), b"",
    b"%zz", b"trailing \t \n", b"x" * 5000,
])  # fmt: skip
def test_a_form_is_read_byte_for_byte(value: bytes) -> None:
    for shape in (posts.form, posts.urlencoded):
        request = shape([("one", b"1"), ("email", value), ("two", b"2")])
        found = posted(request.body, request.headers["Content-Type"]).fields()
        assert found == [("one", b"1"), ("email", value), ("two", b"2")]


def test_a_large_form_takes_little_memory_and_time() -> None:
    """Somebody who mails the inbox, or only knows its address, decides what has to be unquoted."""
    body = b"body-mime=" + b"%41" * 7_000_000
    tracemalloc.start()
    began = time.process_time()
    (field,) = posted(body, FORM).fields()
    took, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert field == ("body-mime", b"A" * 7_000_000)
    assert peak < 8 * len(body)
    assert took < 3.0


@pytest.mark.parametrize(("text", "name", "content_id"), [
    ("lone \ud800", "f\udfff.txt", "grüße"), ("x", "", "<>"), ("x", "a\r\nBcc: evil", "a b"),
    ("", "x" * 5000, ""),
])  # fmt: skip
def test_what_cannot_be_written_is_written_otherwise(text: str, name: str, content_id: str) -> None:
    file = rebuild.File(name, "text/\x00plain", b"data", content_id)
    raw = rebuild.rebuilt([("Subject", "x\r\nBcc: evil@evil.example")], text, "<p>x", [file])
    assert raw == rebuild.rebuilt(
        [("Subject", "x\r\nBcc: evil@evil.example")], text, "<p>x", [file]
    )
    assert b"\nBcc:" not in raw


def test_folded_headers_take_linear_time() -> None:
    def seconds(count: int) -> float:
        began = time.process_time()
        rebuild.header_lines("Subject: x\n" + " y\n" * count)
        return time.process_time() - began

    seconds(1000)
    assert seconds(400_000) < 8 * max(seconds(100_000), 0.01)
