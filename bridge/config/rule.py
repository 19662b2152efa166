"""Rules: conditions on incoming mails, and the actions for mails that meet them. From YAML."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bridge.config.section import MatrixId, Section
from bridge.model import Refused, words

EXAMPLE = """\
name: invoices
when:
  from: "@billing.example"
  subject: [invoice, "order *"]
then:
  assign: "@alice:example.com"
  tag: billing"""
LONGEST = 10_000
"""Maximum characters of the YAML of rules in one command."""
SIZES = {"": 1, "kb": 1000, "mb": 1_000_000, "gb": 1_000_000_000}
PLAIN = {
    "extra_forbidden": "there is no such key", "missing": "it is missing",
    "model_type": "write keys and values here", "tuple_type": "write a text, or a list of texts",
    "model_attributes_type": "write keys and values here",
    "dict_type": "write keys and values here",
    "string_type": "write a text",
}  # fmt: skip
"""Error types of pydantic, and their plain words for admins."""


def _several(value: Any) -> Any:
    """Turn a single text into a list of one. Raises ValueError for an empty list, which matches
    nothing."""
    if isinstance(value, list | tuple) and not value:
        raise ValueError("give at least one text, or leave the key out")
    return (value,) if isinstance(value, str | int | float) else value


def _bytes(value: Any) -> Any:
    """Turn `5 MB` into bytes. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,12})\s*([kmg]b)?", str(value).strip().casefold())
    if match is None:
        raise ValueError(f"{value!r} is no size; write it like 5 MB")
    return int(match[1]) * SIZES[match[2] or ""]


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


Texts = Annotated[
    tuple[Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=200)], ...],
    BeforeValidator(_several), Field(max_length=100),
]  # fmt: skip
"""Patterns of which one has to match; `*` matches any text."""


class When(Section):
    """Conditions on a mail; all conditions that are set must hold."""

    from_: Texts = Field((), alias="from")
    to: Texts = ()
    subject: Texts = ()
    body: Texts = ()
    header: dict[str, Texts] = Field(default_factory=dict, max_length=20)
    attachment: Texts = ()
    larger: Annotated[int, BeforeValidator(_bytes)] | None = None
    verdict: Literal["pass", "fail", "none"] | None = None
    """Result of the sender check."""
    kind: Literal["person", "automatic", "list", "bounce", "receipt"] | None = None
    spam: bool | None = None
    """Whether our own mail server calls it spam."""


class Then(Section):
    """Actions for the mails that match."""

    assign: MatrixId | None = None
    department: str = Field("", max_length=40)
    tag: Texts = ()
    priority: Literal["high", "normal", "low"] | None = None
    snippet: str = ""
    """Name of the standard response sent as an automatic answer."""
    close: bool = False
    snooze: str = Field("", max_length=40)
    notify: Literal[True, False] | MatrixId = False
    """True tells the queue room; a Matrix ID is mentioned in the conversation."""
    webhook: str = Field("", max_length=1000)

    @field_validator("tag")
    @classmethod
    def _tags(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        tags = [words.tag(each) for each in value]
        for each, tag in zip(value, tags, strict=True):
            if tag is None:
                raise ValueError(f"{each!r} is not a valid tag: {words.TAG_RULE}")
        return tuple(tag for tag in tags if tag is not None)

    @field_validator("webhook")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        loopback = parts.hostname in ("127.0.0.1", "::1", "localhost")
        plain = loopback and parts.scheme == "http"
        if value and not (parts.hostname and (parts.scheme == "https" or plain)):
            raise ValueError("write a URL that begins with https://")
        return value

    @model_validator(mode="after")
    def _something(self) -> Then:
        if not self.model_fields_set:
            raise ValueError("say what is to be done")
        if self.close and self.snooze:
            raise ValueError("close and snooze exclude each other")
        return self


class Rule(Section):
    """One rule. `on`: for mails that begin a conversation, mails that join one, or every mail."""

    name: str = Field(min_length=1, max_length=60)
    on: Literal["new", "reply", "every"] = "new"
    when: When
    unless: When | None = None
    """Exception: the rule does not apply if all conditions set here hold."""
    then: Then
    stop: bool = False
    """Whether later rules are skipped once this rule applied."""

    @field_validator("name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("a name is one line")
        return value

    @model_validator(mode="before")
    @classmethod
    def _yaml_on(cls, data: Any) -> Any:
        """Rename the key true to `on`, because YAML 1.1 reads `on` as true."""
        if isinstance(data, dict) and True in data:
            data = {("on" if key is True else key): value for key, value in data.items()}
        return data


def read(text: str) -> tuple[Rule, ...]:
    """The rules of a YAML text: one rule or a list. Raises Refused with the key and the fault."""
    if len(text) > LONGEST:
        raise Refused(f"That is more than {LONGEST} characters; write fewer rules at once.")
    try:
        data = YAML(typ="safe").load(text)
    except (YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise Refused(f"That is no YAML: {' '.join(str(error).split())[:300]}") from error
    if data is None or data == []:
        raise Refused("There is no rule in that; docs/rules.md shows one.")
    found, faults = [], []
    for number, each in enumerate(data if isinstance(data, list) else [data], 1):
        try:
            found.append(Rule.model_validate(each))
        except ValidationError as error:
            for fault in error.errors():
                where = ".".join(str(part) for part in (number, *fault["loc"]))
                said = fault["msg"].removeprefix("Value error, ")
                faults.append(f"Rule {where}: {PLAIN.get(fault['type'], said)}.")
    if faults:
        raise Refused("\n".join((*faults[:20], "A rule looks like this:", EXAMPLE)))
    return tuple(found)
