"""Rules: what is done with a mail that comes in, when it is like this. Read from YAML."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bridge.config.section import MatrixId, Section
from bridge.model import Refused, words

LONGEST = 10_000
"""Characters of rules written at once."""
SIZES = {"": 1, "kb": 1000, "mb": 1_000_000, "gb": 1_000_000_000}
PLAIN = {
    "extra_forbidden": "there is no such key", "missing": "it is missing",
    "model_type": "write keys and values here", "tuple_type": "write a text, or a list of texts",
    "model_attributes_type": "write keys and values here",
    "dict_type": "write keys and values here",
    "string_type": "write a text",
}  # fmt: skip
"""What pydantic says of a value, as an admin would."""


def _several(value: Any) -> Any:
    """One text may stand for a list of one; an empty list would mean nothing, and is refused."""
    if isinstance(value, list | tuple) and not value:
        raise ValueError("give at least one text, or leave the key out")
    return (value,) if isinstance(value, str | int | float) else value


def _bytes(value: Any) -> Any:
    """`5 MB` as bytes."""
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
"""Any of them counts; `*` stands for anything."""


class When(Section):
    """What a mail must be like; of what is named here, everything must hold."""

    from_: Texts = Field((), alias="from")
    to: Texts = ()
    subject: Texts = ()
    body: Texts = ()
    header: dict[str, Texts] = Field(default_factory=dict, max_length=20)
    attachment: Texts = ()
    larger: Annotated[int, BeforeValidator(_bytes)] | None = None
    verdict: Literal["pass", "fail", "none"] | None = None
    """What the sender check said."""
    kind: Literal["person", "automatic", "list", "bounce", "receipt"] | None = None


class Then(Section):
    """What is done."""

    assign: MatrixId | None = None
    department: str = Field("", max_length=40)
    tag: Texts = ()
    priority: Literal["high", "normal", "low"] | None = None
    snippet: str = ""
    """Sent as an automatic answer."""
    close: bool = False
    snooze: str = Field("", max_length=40)
    notify: Literal[True, False] | MatrixId = False
    """True tells the queue room; a Matrix id is mentioned in the conversation."""
    webhook: str = Field("", max_length=1000)

    @field_validator("tag")
    @classmethod
    def _tags(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        tags = [words.tag(each) for each in value]
        for each, tag in zip(value, tags, strict=True):
            if tag is None:
                raise ValueError(
                    f"{each!r} is no tag: use letters, digits and -, {words.LONGEST_TAG} at most"
                )
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
    """One rule. `on` says which mails: those that begin a conversation, those that join one."""

    name: str = Field(min_length=1, max_length=60)
    on: Literal["new", "reply", "every"] = "new"
    when: When
    unless: When | None = None
    """What a mail must not be like: of what is named here, not everything may hold."""
    then: Then
    stop: bool = False
    """Whether no later rule is looked at once this one held."""

    @field_validator("name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("a name is one line")
        return value

    @model_validator(mode="before")
    @classmethod
    def _yaml_on(cls, data: Any) -> Any:
        """YAML 1.1 reads the key `on` as true."""
        if isinstance(data, dict) and True in data:
            data = {("on" if key is True else key): value for key, value in data.items()}
        return data


def read(text: str) -> tuple[Rule, ...]:
    """The rules of a YAML text: one, or a list. Raises Refused naming what is wrong where."""
    if len(text) > LONGEST:
        raise Refused(f"That is more than {LONGEST} characters; write fewer rules at once.")
    try:
        data = YAML(typ="safe").load(text)
    except (YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise Refused(f"That is no YAML: {' '.join(str(error).split())[:300]}") from error
    if data is None or data == []:
        raise Refused("There is no rule in that; docs/rules.md shows one.")
    found = []
    for number, each in enumerate(data if isinstance(data, list) else [data], 1):
        try:
            found.append(Rule.model_validate(each))
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(str(part) for part in (number, *fault["loc"]))
            said = fault["msg"].removeprefix("Value error, ")
            said = PLAIN.get(fault["type"], said)
            raise Refused(f"Rule {where}: {said}.") from error
    return tuple(found)
