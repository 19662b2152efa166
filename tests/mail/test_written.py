"""What agents type and what leaves: Markdown, bare links, mentions."""

from __future__ import annotations

import time

import pytest

from bridge.mail.bare_links import linked
from bridge.mail.html import to_text
from bridge.mail.mentions import mentioned_ids, with_names
from bridge.mail.written import from_matrix, to_html

AS_TYPED = (
    r"C:\x\_y", r"C:\Program Files\_old\*.log", r"\\server\share\_a", r"C:\dir" "\\",
    "__init__", "x.__init__(self)", "__main__.py and __all__", "def f(*args, **kwargs)",
    "5*3*2 = 30", "10**6*2**3", "a*b*c", "2 * 3 * 4", "snake_case_name", "f[0](x) + g[1](y)",
    "&lt;b&gt; &copy; &nbsp;", "[1]: see below", "#1 and #2", "1 < 2 > 0",
    "Kind regards\n--\nAlice", "Kind regards\n-\nAlice", "Total\n=====", "file:///etc/hosts",
    "readme.md main.py v1.2.3 //comment", "~5 pieces~", "¯\\_(ツ)_/¯",
)  # fmt: skip
"""Nothing of these is Markdown to who types them."""


@pytest.mark.parametrize("text", AS_TYPED)
def test_what_is_no_markdown_stays_as_typed(text: str) -> None:
    shown, _ = from_matrix(to_html(text))
    assert " ".join(shown.split()) == " ".join(text.split())
    assert "<h" not in to_html(text)
    assert "<a" not in to_html(text)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**so** *so* _so_", "<strong>so</strong> <em>so</em> <em>so</em>"),
        ("这是**重点**内容", "这是<strong>重点</strong>内容"),
        ("__very important__", "<strong>very important</strong>"),
        (r"\*no\* \_no\_ \# no", "*no* _no_ # no"),
        ("[here](https://x.example)", '<a href="https://x.example">here</a>'),
        ("<https://x.example/a_b>", '<a href="https://x.example/a_b">https://x.example/a_b</a>'),
        ("~~old~~", "<s>old</s>"),
    ],
)
def test_markdown_is_markdown(text: str, html: str) -> None:
    assert to_html(text) == f"<p>{html}</p>"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("See https://x.example/__init__/a_b?x=1&y=2.", "https://x.example/__init__/a_b?x=1&y=2"),
        ("(http://a.example/b)", "http://a.example/b"),
        ("www.acme.com, and", "http://www.acme.com"),
        ("Write to bob@acme.com!", "mailto:bob@acme.com"),
        ("https://x.example/a*b*c", "https://x.example/a*b*c"),
    ],
)
def test_bare_links_are_links(text: str, address: str) -> None:
    escaped = address.replace("&", "&amp;")
    plain = f"<p>{text.replace('&', '&amp;')}</p>"
    assert f'<a href="{escaped}">' in to_html(text)
    assert f'<a href="{escaped}">' in linked(plain)
    assert linked(linked(plain)) == linked(plain)


@pytest.mark.parametrize("text", ['"a' * 32_000 + "@", "mailto:" * 9_000, "a@" * 30_000])
def test_what_is_too_long_for_an_address_takes_no_time(text: str) -> None:
    began = time.process_time()
    assert "<a" not in to_html(text)
    assert linked(text) == text
    assert time.process_time() - began < 2


def test_what_is_code_or_a_link_already_gets_no_link() -> None:
    for html in (
        "<code>https://x.example</code>",
        "<pre><code>www.x.example\nbob@x.example</code></pre>",
        '<a href="https://x.example/>">www.x.example</a>',
    ):
        assert linked(html) == html


MENTIONS = {
    "Ask [@bob:hs.example](https://matrix.to/#/@bob:hs.example), please": "Ask Bob Doe, please",
    "Ask [Bob](https://matrix.to/#/@bob:hs.example)": "Ask Bob",
    r"Ask [Bob \[Acme\]](https://matrix.to/#/@bob:hs.example)": "Ask Bob [Acme]",
    "Ask [@bob:hs.example](https://matrix.to/#/%40bob%3Ahs.example?via=hs)": "Ask Bob Doe",
    "Ask [@bob:hs.example](<https://matrix.to/#/@bob:hs.example>)": "Ask Bob Doe",
    "Ask https://matrix.to/#/@bob:hs.example": "Ask Bob Doe",
    "Ask <https://matrix.to/#/@bob:hs.example>.": "Ask Bob Doe.",
    "Ask https://matrix.to/#/@bob:hs.example?via=hs.example, or": "Ask Bob Doe, or",
    "(https://matrix.to/#/@bob:hs.example)!": "(Bob Doe)!",
    "Ask https://matrix.to/#/@bob:hs.example.": "Ask Bob Doe.",
    "Ask [@bob:hs.example](matrix:u/bob:hs.example)": "Ask Bob Doe",
    "Ask matrix:u/bob:hs.example": "Ask Bob Doe",
    "@bob:hs.example: please": "Bob Doe: please",
    "Ask @bob:hs.example.": "Ask Bob Doe.",
    "Ask [@eve:hs.example](https://matrix.to/#/@eve:hs.example)": "Ask eve",
    "In [#sales:hs.example](https://matrix.to/#/#sales:hs.example)": "In sales",
    "In [Sales](https://matrix.to/#/!abc:hs.example?via=hs.example)": "In Sales",
    "In [!abc:hs.example](https://matrix.to/#/!abc:hs.example/$ev)": "In our room",
    "x@bob:hs.example.org @bob:hs.example-2": "x@bob:hs.example.org @bob:hs.example-2",
    "Write to bob@hs.example": "Write to bob@hs.example",
}


@pytest.mark.parametrize(("text", "left"), MENTIONS.items())
def test_mentions_leave_as_names(text: str, left: str) -> None:
    assert with_names(text, {"@bob:hs.example": "Bob Doe"}) == left


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ('<a href="https://matrix.to/#/@bob:hs.example">Bob</a>', "Bob"),
        ('<a href="https://matrix.to/#/@bob:hs.example">@bob:hs.example</a>', "Bob & Co"),
        ('<a href="matrix:u/bob:hs.example">@bob:hs.example</a>', "Bob & Co"),
        ('<a href="https://matrix.to/#/%40bob%3Ahs.example">https://matrix.to/#/@bob:hs.example</a>',
         "Bob & Co"),
        ("<b>@bob:hs.example</b>", "Bob & Co"),
        ('<a href="https://matrix.to/#/!abc:hs.example/$e">https://matrix.to/#/!abc:hs</a>',
         "our room"),
    ],
)  # fmt: skip
def test_mentions_leave_as_names_in_html_too(html: str, left: str) -> None:
    text, kept = from_matrix(f"<p>Ask {html}, please</p>", {"@bob:hs.example": "Bob & Co"})
    assert text == f"Ask {left}, please"
    assert "matrix" not in kept
    assert "@" not in kept


def test_the_ids_that_a_text_mentions() -> None:
    text = "[x](https://matrix.to/#/%40bob%3Ahs) https://matrix.to/#/@al:hs matrix:u/cy:hs"
    assert mentioned_ids(f"{text} {text} https://matrix.to/#/!room:hs") == [
        "@bob:hs", "@al:hs", "@cy:hs",
    ]  # fmt: skip


def test_text_of_html_decodes_entities_once() -> None:
    assert to_text("<p>Write &amp;lt;b&amp;gt; for bold &amp;amp; more</p>") == (
        "Write &lt;b&gt; for bold &amp; more"
    )


def test_tables_and_headings_of_a_message_leave_as_they_are() -> None:
    html = "<h3>Prices</h3><table><tbody><tr><td>Display</td><td>120</td></tr></tbody></table>"
    text, kept = from_matrix(html)
    assert kept == html
    assert [line.split() for line in text.splitlines() if line] == [["Prices"], ["Display", "120"]]
