"""Header, greeting, signature and footer of mails: a small, safe part of Jinja. Pure.

Jinja's own sandbox guards attributes, but neither time nor memory, so that only what is listed here
is taken: variables, fallbacks and conditions. What was checked is what runs: the parsed template.
"""

from __future__ import annotations

import difflib
import html as entities
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from urllib.parse import quote

from jinja2 import Template, nodes
from jinja2.exceptions import TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bridge.mail import snippet, styled
from bridge.mail.charset import clean, clean_line
from bridge.mail.html import to_text
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
MAX_LENGTH, MAX_NESTED = 20_000, 10
"""Maximum characters of a template, and maximum conditions within each other."""
FIRST_MARK = 0xF0000
"""The first of the characters (of a private plane) that stand for values while Markdown and style
sheets are worked out, so that no value is read as either."""
MARKS = re.compile("[\U000f0000-\U000ffffd]")
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
    source = _as_jinja(source)
    tree = _parsed(source)
    rendered = _jinja.from_string(tree)
    every = "".join(_everything(tree))
    for text in (every, _marked(rendered, dict.fromkeys(VARIABLES, "x")), _marked(rendered, {})):
        if styled.is_html(text):
            styled.inlined(text)


def fill(source: str, values: Mapping[str, str]) -> Filled:
    """The template with the values of VARIABLES; one that is missing is empty. Raises Permanent
    where its HTML cannot be used."""
    if not source.strip():
        return Filled()
    values = {name: clean_line(values.get(name, ""), 200) for name in VARIABLES}
    try:
        marked = _marked(_compiled(source), values).strip()
        html = styled.inlined(marked) if styled.is_html(marked) else to_html(marked)
    except Refused as error:
        raise Permanent(f"a template of its inbox cannot be used: {error}") from error
    for mark, name in zip(_marks(), VARIABLES, strict=True):
        html = html.replace(mark, entities.escape(values[name]))
        html = html.replace(quote(mark), quote(values[name], safe=""))
    return Filled(to_text(styled.with_names_of_pictures(html)), html)


def begins_with_greeting(text: str, greeting: str) -> bool:
    """Whether a text brings a greeting of its own: its first line ends with a comma, as letters
    begin, or its first word is that of the greeting."""
    first = text.strip().partition("\n")[0].strip()
    if not first or not greeting.strip():
        return False
    of_greeting = greeting.split()[0].strip(",.!:").casefold()
    return first.endswith(",") or first.split()[0].strip(",.!:").casefold() == of_greeting


def _marks() -> list[str]:
    return [chr(FIRST_MARK + number) for number in range(len(VARIABLES))]


def _marked(template: Template, values: Mapping[str, str]) -> str:
    """The text with a mark in place of each value that is not empty."""
    owners: dict[str, SimpleNamespace] = {}
    for mark, name in zip(_marks(), VARIABLES, strict=True):
        owner, _, attribute = name.partition(".")
        setattr(
            owners.setdefault(owner, SimpleNamespace()), attribute, mark if values.get(name) else ""
        )
    return template.render(owners)


@lru_cache(256)
def _compiled(source: str) -> Template:
    return _jinja.from_string(_parsed(_as_jinja(source)))


def _as_jinja(source: str) -> str:
    """The template with the variables of snippets and of FreeScout written as in Jinja."""

    def freescout(match: re.Match[str]) -> str:
        name = OF_FREESCOUT.get(match[1])
        return match[0] if name is None else _variable(name, match[2])

    def of_snippet(match: re.Match[str]) -> str:
        blank, name, other, _ = match.groups()
        known = OF_SNIPPETS.get(name)
        return match[0] if known is None else f"{blank}{_variable(known, other)}"

    source = MARKS.sub("", clean(source))
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
        raise Refused("it is nested too deeply, or holds a number that is too large") from error
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
    depth += isinstance(node, nodes.If)
    if depth > MAX_NESTED:
        raise Refused(f"line {node.lineno}: more than {MAX_NESTED} conditions within each other")
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
        _check(child, depth)


def _unknown(node: nodes.Node, name: str) -> Refused:
    near = difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(VARIABLES)}"
    return Refused(f"line {node.lineno}: {name[:40]} is no variable; {hint}".rstrip("."))


def _everything(node: nodes.Node) -> Iterator[str]:
    """All that a template may write, whatever its conditions: what stands in each branch."""
    if isinstance(node, nodes.TemplateData):
        yield node.data
    elif isinstance(node, nodes.Getattr):
        yield chr(FIRST_MARK)
    elif isinstance(node, nodes.If):
        for child in (*node.body, *node.elif_, *node.else_):
            yield from _everything(child)
    else:
        for child in node.iter_child_nodes():
            yield from _everything(child)
