"""Header, greeting, signature and footer of mails: a small, safe part of Jinja. Pure.

Jinja's own sandbox guards attributes, but neither time nor memory, so that only what is listed here
is taken: variables, fallbacks and conditions. What was checked is what runs: the parsed template.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace

from jinja2 import Template, nodes
from jinja2.exceptions import TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bridge.mail import snippet, styled
from bridge.mail.charset import clean, clean_line
from bridge.mail.html import to_text
from bridge.mail.languages import GREETINGS
from bridge.mail.written import to_html
from bridge.model import Permanent, Refused

KINDS = {
    "header": "above everything", "greeting": "above what the agent writes",
    "signature": "below it", "footer": "below everything",
}  # fmt: skip
VARIABLES = {
    "contact.name": "the recipient's whole name",
    "contact.first_name": "the recipient's first name",
    "contact.email": "the recipient's address",
    "agent.name": "the name of the agent who answers",
    "agent.first_name": "the agent's first name",
    "inbox.name": "the inbox's name",
    "inbox.address": "the inbox's address",
    "conversation.number": "the conversation's number, with #",
    "conversation.subject": "the mail's subject",
}
OF_SNIPPETS = {
    "first_name": "contact.first_name", "name": "contact.name", "address": "contact.email",
    "number": "conversation.number", "subject": "conversation.subject", "agent": "agent.name",
    "inbox": "inbox.name",
}  # fmt: skip
"""The variables of snippets, which may be written as there: {first_name|there}."""
OF_FREESCOUT = {
    "customer.fullName": "contact.name", "customer.firstName": "contact.first_name",
    "customer.email": "contact.email", "user.fullName": "agent.name",
    "user.firstName": "agent.first_name", "mailbox.name": "inbox.name",
    "mailbox.email": "inbox.address", "mailbox.fromName": "inbox.name",
    "conversation.number": "conversation.number", "subject": "conversation.subject",
}  # fmt: skip
"""Its variables, as in {%customer.firstName,fallback=there%}: signatures are brought along."""
FREESCOUT = re.compile(
    r"\{%([A-Za-z]{1,20}(?:\.[A-Za-z]{1,20})?)(?:,fallback=([^%{}\"\\]{0,100}))?%\}"
)
MAX_LENGTH = 20_000
"""Maximum characters of a template."""
TOO_DEEP = "it is nested too deeply, or holds a number that is too large"
MAX_DEPTH = 20
"""Maximum depth of a template's tree: chains of `or` and of filters make Python's compiler slow."""
NOTHING = "xq99zv7kq"
"""Stands for an empty value, as the marks do for others."""
NAMED = {
    nodes.For: "a loop", nodes.Call: "a call", nodes.Getitem: "[…]", nodes.Compare: "a comparison",
    nodes.Include: "another template", nodes.Import: "another template",
    nodes.FromImport: "another template", nodes.Extends: "another template",
    nodes.Macro: "a macro", nodes.CallBlock: "a macro", nodes.Block: "a block",
    nodes.Assign: "an assignment", nodes.AssignBlock: "an assignment", nodes.Test: "a test",
    nodes.List: "a list", nodes.Tuple: "a list", nodes.Dict: "a list", nodes.CondExpr: "if … else",
}  # fmt: skip
"""What people may try, in words."""
PLAIN = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.Not, nodes.And, nodes.Or)
"""What may stand in a template, besides variables, texts and `default`."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled template, as text and as HTML; both empty for none."""

    text: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What stands around the text of a mail: one for each of KINDS."""

    header: Filled = Filled()
    greeting: Filled = Filled()
    signature: Filled = Filled()
    footer: Filled = Filled()


class _Nothing:
    """An empty value: false in conditions, and with a mark of its own in the text."""

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return NOTHING


def _environment() -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, cache_size=0)
    made.globals.clear()
    made.tests.clear()
    made.filters.clear()
    made.filters["default"] = lambda value, other="": value or other
    return made


_jinja = _environment()


def check(source: str) -> None:
    """Raises Refused with the line and the fault of a template that cannot be used."""
    tree, template = _compiled(source)
    every = "".join(_everything(tree))
    for text in (every, _marked(template, dict.fromkeys(VARIABLES, "x")), _marked(template, {})):
        _as_html(text)


def fill(source: str, values: Mapping[str, str]) -> Filled:
    """The template with the values of VARIABLES; one that is missing is empty. Raises Permanent
    where its HTML cannot be used."""
    if not source.strip():
        return Filled()
    values = {name: clean_line(values.get(name, ""), 200) for name in VARIABLES}
    try:
        marked = _marked(_compiled(source)[1], values).strip()
        html = _as_html(marked)
    except Refused as error:
        raise Permanent(f"a template of its inbox cannot be used: {error}") from error
    by_mark = dict(zip(_marks(), values.values(), strict=True))
    html = styled.filled(html, by_mark)
    if styled.is_html(marked):
        return Filled(to_text(styled.for_text(html)).strip(), html)
    return Filled(styled.MARK.sub(lambda mark: by_mark.get(mark[0], ""), marked), html)


def begins_with_greeting(text: str, greeting: str) -> bool:
    """Whether a text brings a greeting of its own: it begins with one in some language, with the
    first word of `greeting`, or with a short line that ends in a comma, as letters do."""
    plain = re.sub(r"[*_#>`~]", "", text).strip().casefold()
    if not plain or not greeting.strip():
        return False
    first = plain.partition("\n")[0].strip()
    if first.endswith(",") and len(first.split()) <= 3:
        return True
    known = (*GREETINGS, greeting.split()[0].strip(",.!:").casefold())
    return any(re.match(rf"{re.escape(each)}(?!\w)", plain) for each in known)


def _marks() -> list[str]:
    return [f"xq{number:02}zv7kq" for number in range(len(VARIABLES))]


def _marked(template: Template, values: Mapping[str, str]) -> str:
    """The text with a mark in place of each value that is not empty. `Hello {{ contact.name }},`
    without a name is `Hello,`."""
    owners: dict[str, SimpleNamespace] = {}
    for mark, name in zip(_marks(), VARIABLES, strict=True):
        owner, _, attribute = name.partition(".")
        value = mark if values.get(name) else _Nothing()
        setattr(owners.setdefault(owner, SimpleNamespace()), attribute, value)
    return re.sub(rf" ?{NOTHING}(?=[,.;:!?])|{NOTHING}", "", template.render(owners))


def _as_html(marked: str) -> str:
    """The HTML of a text with marks. Raises Refused for what cannot stand in a mail."""
    return styled.inlined(marked if styled.is_html(marked) else to_html(marked))


@lru_cache(256)
def _compiled(source: str) -> tuple[nodes.Template, Template]:
    """The checked tree, and the same ready to run. Raises Refused."""
    tree = _parsed(_as_jinja(source))
    try:
        return tree, _jinja.from_string(tree)
    except (TemplateError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise Refused(TOO_DEEP) from error


def _as_jinja(source: str) -> str:
    """The template with the variables of snippets and of FreeScout written as in Jinja."""

    def freescout(match: re.Match[str]) -> str:
        name = OF_FREESCOUT.get(match[1])
        return match[0] if name is None else _variable(name, match[2])

    def of_snippet(match: re.Match[str]) -> str:
        blank, name, other, _ = match.groups()
        known = OF_SNIPPETS.get(name)
        return match[0] if known is None else f"{blank}{_variable(known, other)}"

    source = styled.MARK.sub("", clean(source))
    source = FREESCOUT.sub(freescout, source)
    return re.sub(rf"(?<!\{{){snippet.FIELD.pattern}(?!\}})", of_snippet, source)


def _variable(name: str, other: str | None) -> str:
    plain = (other or "").replace("\\", "").replace('"', "")
    return f'{{{{ {name} or "{plain}" }}}}' if plain else f"{{{{ {name} }}}}"


def _parsed(source: str) -> nodes.Template:
    """The checked template. Raises Refused."""
    if len(source) > MAX_LENGTH:
        raise Refused(f"it has {len(source):,} characters; {MAX_LENGTH:,} are the most")
    try:
        tree = _jinja.parse(source)
        _check(tree, 0)
    except TemplateSyntaxError as error:
        raise Refused(f"line {error.lineno}: {(error.message or '').rstrip('.')[:200]}") from error
    except (TemplateError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(TOO_DEEP) from error
    return tree


def _check(node: nodes.Node, depth: int) -> None:
    """Raises Refused for what a template must not hold."""
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        name = f"{node.node.name}.{node.attr}"
        if name in VARIABLES:
            return
        raise _unknown(node, name)
    if isinstance(node, nodes.Name):
        raise _unknown(node, node.name)
    if isinstance(node, nodes.Const):
        return
    if depth > MAX_DEPTH:
        raise Refused(f"line {node.lineno}: {TOO_DEEP}")
    if isinstance(node, nodes.Filter) and node.name == "default":
        if node.node is None or len(node.args) != 1 or node.kwargs or node.dyn_args:
            raise Refused(f'line {node.lineno}: write default("text")')
    elif isinstance(node, nodes.Filter):
        raise Refused(f"line {node.lineno}: there is no filter {node.name[:30]}, only default")
    elif not isinstance(node, PLAIN):
        what = NAMED.get(type(node), "arithmetic, or another part of Jinja,")
        raise Refused(
            f"line {node.lineno}: {what} cannot stand in a template; {{{{ variables }}}} and"
            " {% if agent.name %}…{% endif %} can"
        )
    for child in node.iter_child_nodes():
        _check(child, depth + 1)


def _unknown(node: nodes.Node, name: str) -> Refused:
    near = difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(VARIABLES)}"
    return Refused(f"line {node.lineno}: {name[:40]} is no variable; {hint}".rstrip("."))


def _everything(node: nodes.Node) -> Iterator[str]:
    """All that a template may write, whatever its conditions: what stands in each branch."""
    if isinstance(node, nodes.TemplateData):
        yield node.data
    elif isinstance(node, nodes.Getattr):
        yield _marks()[0]
    elif isinstance(node, nodes.Const):
        yield str(node.value)
    elif isinstance(node, nodes.If):
        for child in (*node.body, *node.elif_, *node.else_):
            yield from _everything(child)
    else:
        for child in node.iter_child_nodes():
            yield from _everything(child)
