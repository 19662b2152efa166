"""Templates of mails: what they make, and every shape that is refused when it is set (T56)."""

from __future__ import annotations

import time
from email import message_from_bytes, policy

import pytest

from bridge.mail import vcard
from bridge.mail.compose import build
from bridge.mail.template import KINDS, Letterhead, begins_with_greeting, check, fill
from bridge.model import Refused
from tests.mail.test_writing import outgoing

VALUES = {
    "contact.name": "Alice <b>Doe</b>", "contact.first_name": "Alice",
    "contact.email": "a&b@x.example", "agent.name": "Bob *Star*", "agent.first_name": "Bob",
    "inbox.name": "Support", "inbox.address": "support@acme.example",
    "conversation.number": "#12", "conversation.subject": "Re: {{ agent.name }}",
}  # fmt: skip


@pytest.mark.parametrize(("source", "text", "html"), [
    ('Hello {{ contact.first_name or "there" }},', "Hello Alice,", "<p>Hello Alice,</p>"),
    ("Hello {{ contact.first_name | default('there') }},", "Hello Alice,", "<p>Hello Alice,</p>"),
    ("Hello {first_name|there},", "Hello Alice,", "<p>Hello Alice,</p>"),
    ("Hello {%customer.firstName,fallback=there%},", "Hello Alice,", "<p>Hello Alice,</p>"),
    ("{{ contact.name }}", "Alice <b>Doe</b>", "<p>Alice &lt;b&gt;Doe&lt;/b&gt;</p>"),
    ("**{{ agent.name }}**\nAcme", "**Bob *Star***\nAcme", "<strong>Bob *Star*</strong><br"),
    ("{{ conversation.subject }}", "Re: {{ agent.name }}", "<p>Re: {{ agent.name }}</p>"),
    ("https://acme.example/t/{{ conversation.number }}", "https://acme.example/t/#12",
     '<a href="https://acme.example/t/%2312">'),
    ("{% if agent.name %}\nby {{ agent.first_name }}\n{% else %}\nby us\n{% endif %}\n", "by Bob",
     "<p>by Bob</p>"),
    ("{% if not contact.name %}nobody{% endif %}Acme", "Acme", "<p>Acme</p>"),
    ('<a href="https://x.example/?q={{ contact.email }}">Ask</a>',
     "Ask (https://x.example/?q=a%26b@x.example)",
     '<a href="https://x.example/?q=a%26b@x.example">Ask</a>'),
    ("[Write to us](mailto:{{ inbox.address }})", "[Write to us](mailto:support@acme.example)",
     '<a href="mailto:support@acme.example">Write to us</a>'),
    ("Acme\n\n2. OG\n______\n  Hauptstr. 5", "Acme\n\n2. OG\n______\n  Hauptstr. 5", "Hauptstr. 5"),
    ("<style>.a{color:red;position:fixed}</style><p class=a>{{ inbox.name }}</p>", "Support",
     '<p style="color:red">Support</p>'),
    ('<img src="https://x.example/l.png" alt="Acme" width="80">', "Acme",
     '<img src="https://x.example/l.png" alt="Acme" width="80">'),
    ("Write to <help@acme.example>, 5 < 6 & 7", "Write to <help@acme.example>, 5 < 6 & 7",
     "5 &lt; 6 &amp; 7"),
    ("{braces} stay, and {% raw %}{{ so }}{% endraw %}", "{braces} stay, and {{ so }}", "{braces}"),
])  # fmt: skip
def test_a_template_becomes_text_and_html(source: str, text: str, html: str) -> None:
    check(source)
    found = fill(source, VALUES)
    assert found.text == text
    assert html in found.html


def test_what_has_no_value_is_empty_and_falls_back() -> None:
    assert fill("Hello {first_name|there}, {{ agent.name }}.", {}).text == "Hello there,."
    assert fill("Hello {first_name}, {{ agent.name }}!", {}).text == "Hello,!"
    assert fill("{{ agent.name }}\nAcme", {}).text == "Acme"
    assert fill("", VALUES) == fill(" \n", VALUES)


def test_no_value_is_taken_for_another_or_grows() -> None:
    marks = "".join(f"xq{number:02}zv7kq" for number in range(9))
    values = VALUES | {"contact.name": marks[:200], "conversation.subject": "&" * 200}
    found = fill("{{ contact.name }} {{ contact.name }} %F3%B0%80%87", values)
    assert found.text == f"{marks[:200]} {marks[:200]} %F3%B0%80%87"
    assert len(found.html) < 600
    assert "&amp;" not in found.html
    assert fill("xq5{% if agent.name %}{% endif %}7zv7kq", values).text == ""
    assert fill("<p>{{ contact.name }}</p>", values).html == f"<p>{marks[:200]}</p>"


def _nested(opens: str, closes: str, times: int) -> str:
    return f"{opens * times}x{closes * times}"


REFUSED = {
    "loop": "{% for a in range(9) %}x{% endfor %}", "multiplied": "{{ 'a' * 99999999 }}",
    "power": "{{ 9 ** 99 ** 99 }}", "joined": "{{ agent.name ~ agent.name }}",
    "call": "{{ agent.name.upper() }}", "global": "{{ range(9) }}", "cycler": "{{ cycler }}",
    "class": "{{ agent.__class__ }}", "deep": "{{ agent.name.__class__ }}",
    "item": '{{ agent["name"] }}', "slice": "{{ agent.name[:3] }}",
    "include": '{% include "/etc/passwd" %}', "import": '{% import "x" as y %}',
    "from": '{% from "x" import y %}', "extends": '{% extends "x" %}',
    "macro": "{% macro a() %}{% endmacro %}", "set": "{% set a = 1 %}",
    "set block": "{% set a %}x{% endset %}", "block": "{% block a %}{% endblock %}",
    "with": "{% with %}{% endwith %}", "filter": '{{ agent.name|replace("a","b") }}',
    "filter block": "{% filter upper %}x{% endfilter %}", "test": "{{ agent.name is string }}",
    "list": "{{ [1, 2] }}", "comparison": '{% if agent.name == "x" %}y{% endif %}',
    "inline if": '{{ "a" if agent.name else "b" }}', "do": "{% do x %}",
    "autoescape": "{% autoescape true %}x{% endautoescape %}",
    "long number": "{{ " + "9" * 5000 + " }}", "brackets": "{{ " + "(" * 5000,
    "closed brackets": "{{ " + _nested("(", ")", 900) + " }}",
    "not not": "{{ " + "not " * 4000 + "agent.name }}",
    "or or": "{{ " + "agent.name or " * 1000 + "agent.name }}",
    "defaults": '{{ agent.name' + '|default("a")' * 190 + " }}",
    "ors": "{{ agent.name" + " or contact.name" * 250 + " }}",
    "form in a fallback": '<b>{{ contact.name or "<form>" }}</b>',
    "host in Markdown": "[x](https://{{ contact.first_name }}.acme.example/x)",
    "picture in Markdown": "![x](https://acme.example/{{ contact.email }}.png)",
    "much style": f"<style>*{{font-family:{'a' * 12_000}}}</style>{'<i>x</i>' * 900}",
    "ifs": _nested("{% if agent.name %}", "{% endif %}", 30), "open": "{{ agent.name",
    "open if": "{% if agent.name %}x", "unknown": "{{ contact.fist_name }}",
    "object": "{{ contact }}", "long": "x" * 20_001, "braces": "{" * 20_000,
    "link": '<link rel="stylesheet" href="file:///etc/passwd">',
    "remote sheet": '<link rel=stylesheet href="http://169.254.169.254/">',
    "@import": '<style>@import "http://x.example/";</style>', "@media": "<style>@media{}</style>",
    "url": "<style>p{background:url(http://x.example)}</style>",
    "escaped url": "<style>p{background:\\75rl(x)}</style>",
    "style url": '<p style="background:url(file:///x)">x</p>',
    "background": '<table background="https://x.example/a.png"></table>',
    "script": "<script>x</script>", "split script": "{% if agent.name %}<scr{% endif %}ipt>",
    "either": "<{% if agent.name %}b{% else %}script{% endif %}>",
    "handler": '<p onclick="x">x</p>', "frame": '<iframe src="https://x.example">',
    "form": "<form action=https://x.example>", "svg": "<svg onload=x>", "base": "<base href=x>",
    "comment": "<p>x</p><!-- <p> -->", "javascript": '<a href="javascript:x">x</a>',
    "relative": '<a href="/x">x</a>', "file": '<img src="file:///etc/passwd">',
    "data": '<img src="data:image/png;base64,AA">', "http picture": '<img src="http://x.example">',
    "srcset": '<p srcset="http://x.example 2x">x</p>',
    "variable in style": '<p style="color:{{ agent.name }}">x</p>',
    "variable in sheet": "<style>p{color:{{ agent.name }}}</style><p>x</p>",
    "variable as link": '<a href="{{ agent.name }}">x</a>',
    "variable as host": '<a href="https://{{ agent.name }}/">x</a>',
    "variable in title": '<p title="{{ agent.name }}">x</p>',
    "tags": "<b>" * 6000, "divs": "<div>" * 3000, "tables": "<table>" * 2500,
}  # fmt: skip


@pytest.mark.parametrize("shape", REFUSED)
def test_T56_a_hostile_template_is_refused_when_it_is_set(shape: str) -> None:
    began = time.process_time()
    with pytest.raises(Refused):
        check(REFUSED[shape])
    assert time.process_time() - began < 5


@pytest.mark.parametrize("source", [
    "[" * 20_000, "[a](" * 5000, "![" * 10_000, "*a **a " * 2800, "_a" * 10_000, ">" * 20_000,
    "* " * 10_000, "<" * 20_000, "~~a" * 6000, "a@" * 10_000, "`" * 20_000, "&lt;" * 5000,
    "{% if agent.name %}x{% endif %}" * 500, "{first_name|" * 1500,
    f"<style>{'p ' * 5000}{{color:red}}</style>{'<p>' * 2500}",
    f"<style>{'p{color:red}' * 1000}</style>{'<p>' * 2500}",
    f"<style>p{':not(' * 3000}a{')' * 3000}{{color:red}}</style><p>x</p>",
    f"<style>{'a{' * 9000}</style><p>x</p>", f"|{'a|' * 9000}\n|{'-|' * 900}",
])  # fmt: skip
def test_T56_what_is_allowed_takes_little_time_and_room(source: str) -> None:
    began = time.process_time()
    check(source)
    found = fill(source, VALUES)
    assert time.process_time() - began < 10
    assert len(found.html) < 200_000


def test_a_fault_is_named_with_its_line() -> None:
    for source, said in (
        ("a\n{{ contact.fist_name }}", "line 2: contact.fist_name is no variable; did you mean"),
        ("{% for a in b %}{% endfor %}", "a loop cannot stand in a template"),
        ("<link href=x>", "put the rules into <style>, no style sheet is loaded"),
    ):
        with pytest.raises(Refused, match=said.replace("{", "\\{")):
            check(source)


@pytest.mark.parametrize(("text", "is_greeted"), [
    ("Hi Alice,\nit works.", True), ("hello!", True), ("It works.", False), ("", False),
    ("Dear Ms Doe,", True), ("One, two", False), ("Hi Carla!", True), ("Carla,\nit works", True),
    ("Good morning Carla!", True), ("**Hello** Carla", True), ("First of all: red, green,", False),
    ("Hint: press it.", False), ("Sehr geehrte Frau Doe", True),
])  # fmt: skip
def test_a_text_with_a_greeting_of_its_own_is_known(text: str, is_greeted: bool) -> None:
    assert begins_with_greeting(text, "Hello Alice,") is is_greeted


def test_the_parts_stand_around_the_text_in_their_order() -> None:
    parts = {kind: fill(f"The {kind}", {}) for kind in KINDS}
    raw = build(outgoing(text="The text", letterhead=Letterhead(**parts)))
    mail = message_from_bytes(raw, policy=policy.default)
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has a text
    assert text.replace("\r", "") == (
        "The header\n\nThe greeting\n\nThe text\n\n-- \nThe signature\n\nThe footer\n"
    )
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]  # it has HTML
    places = [html.index(f"The {each}") for each in
              ("header", "greeting", "text", "signature", "footer")]  # fmt: skip
    assert places == sorted(places)


def test_a_signature_may_be_a_picture_alone() -> None:
    picture = fill('<img src="https://x.example/l.png" alt="">', {})
    raw = build(outgoing(text="The text", letterhead=Letterhead(signature=picture)))
    mail = message_from_bytes(raw, policy=policy.default)
    assert "l.png" in mail.get_body(("html",)).get_content()  # type: ignore[union-attr]  # it has HTML
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has a text
    assert text.strip() == "The text"


def test_a_contact_card_is_one_that_address_books_read() -> None:
    raw = vcard.vcard(
        "Acme, Support; Team", "support@acme.example", organization="Müller & Söhne " * 6,
        phone="+49 30 1234", url="https://acme.example",
    )  # fmt: skip
    assert raw.startswith(b"BEGIN:VCARD\r\nVERSION:3.0\r\n")
    assert raw.endswith(b"END:VCARD\r\n")
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    lines = raw.decode().replace("\r\n ", "").split("\r\n")
    assert "FN:Acme\\, Support\\; Team" in lines
    assert "N:;Acme\\, Support\\; Team;;;" in lines
    assert "EMAIL;TYPE=INTERNET:support@acme.example" in lines
    assert "TEL;TYPE=WORK,VOICE:+49 30 1234" in lines
    assert any(line.startswith("ORG:Müller & Söhne Müller") for line in lines)
