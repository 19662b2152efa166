"""Settings of one shared mailbox, as set in config.yaml or in the control room."""

from __future__ import annotations

import re
from string import Formatter
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bridge.config.rule import Rule
from bridge.config.section import MatrixId, Section
from bridge.config.server import Http, Imap, Smtp
from bridge.mail import template
from bridge.mail.address import fault
from bridge.model import InboxId, Refused, ascii_domain, key_of
from bridge.model.grant import grant_name


class Card(Section):
    """A contact card (.vcf) that goes with the first mail that an agent sends to somebody."""

    name: str = Field("", max_length=100)
    """The name in address books; empty for the inbox's."""
    organization: str = Field("", max_length=100)
    phone: str = Field("", pattern=r"^[+0-9 ()/.-]{0,40}$")
    url: str = Field("", pattern=r"^(https?://\S{1,200})?$")


class Inbox(Section):
    """One shared mail address, its servers, and how its mail is answered."""

    id: InboxId = InboxId("")
    name: str = Field(min_length=1, max_length=80)
    address: str = Field(max_length=254)
    aliases: tuple[str, ...] = ()
    agents: tuple[MatrixId, ...] = ()
    leads: tuple[MatrixId, ...] = ()
    agents_invite: Literal["admins", "leads"] = "admins"
    federate: bool = False
    paused: bool = False
    direction: Literal["both", "inbound", "outbound"] = "both"
    """inbound: nobody sends from it. outbound: its mail is not read, and agents begin with
    `!compose`; an imap section then is for copies in Sent."""
    default: bool = False
    approval: Literal["none", "four-eyes", "leads"] = "none"
    """Who has to approve (✅) a mail before it is sent: nobody, another agent, or a lead."""
    undo: float = Field(10.0, ge=0, le=600)
    """Seconds during which an agent can stop a mail before it is sent."""
    sender_name: str = "{agent} from {inbox}"
    header: str = ""
    """Stands above everything in a mail; like the next three a template (mail/template.py)."""
    greeting: str = ""
    signature: str = ""
    footer: str = ""
    card: Card | None = None
    authserv_id: str = ""
    forwarders: tuple[str, ...] = ()
    """Addresses, as of a Google Group, that put themselves into From of what they forward: their
    X-Original-From is believed where they are proven."""
    reply_to: str = ""
    """Reply-To of outgoing mails; empty for `address`."""
    bcc: tuple[str, ...] = ()
    """Addresses that get a blind copy of every outgoing mail."""
    quote: bool = False
    """Whether a reply quotes the mail it answers."""
    assign: Literal["never", "round-robin", "least-busy"] = "never"
    """Whether a new conversation is assigned to an agent at once, and how the agent is chosen."""
    answer_within: float = Field(0.0, ge=0, le=8760)
    """Hours a customer may wait before the team is reminded; 0 for never."""
    attachments: int = Field(25_000_000, ge=0)
    """Maximum total bytes of the files of one mail."""
    answer_again_after: float = Field(24.0, ge=0, le=8760)
    """Hours before the same address or conversation may get another automatic answer."""
    answers_in_10_minutes: int = Field(10, ge=0)
    """Maximum number of automatic answers in 10 minutes; further ones are not sent."""
    answers_in_hour: int = Field(30, ge=0)
    answers_in_day: int = Field(100, ge=0)
    spam: Literal["ignore", "tell", "mark"] = "ignore"
    """What is done with a new mail that our own mail server calls spam: nothing, a line above it,
    or state spam."""
    spam_headers: tuple[str, ...] = ("X-Spam-Flag: yes",)
    """Headers by which our mail server calls a mail spam, each with its value; `*` is any text."""
    time_zone: str = ""
    """IANA name of the team's time zone, in which the times of invitations are shown as well."""
    department: str = Field("", max_length=40)
    """A label that lists and rules can use."""
    rules: tuple[Rule, ...] = ()
    sent_elsewhere: Literal["show", "ignore"] = "show"
    """Whether what somebody sends as the inbox from another mail program is shown: it is found in
    the Sent folder."""
    sent_copy: Literal["auto", "always", "never"] = "auto"
    reply_tokens: Literal["auto", "never"] = "auto"
    """auto: replies get a +tag Reply-To once `!inbox test` saw mail to a +tag address arrive."""
    on_unknown: Literal["ask", "retry"] = "ask"
    imap: Imap | None = None
    smtp: Smtp | None = None
    http: Http | None = None

    @field_validator("address", "aliases", "reply_to", "bcc", "forwarders")
    @classmethod
    def _addresses(cls, value: Any, info: ValidationInfo) -> Any:
        for spec in (value,) if isinstance(value, str) else value:
            if not spec and info.field_name == "reply_to":
                continue
            if why := fault(spec):
                raise ValueError(f"{spec!r} is not a valid email address: {why}")
        return value

    @field_validator("spam_headers")
    @classmethod
    def _headers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if re.fullmatch(r"[!-9;-~]{1,100}:\s*\S.{0,200}", each) is None:
                raise ValueError(f"{each!r} is no header with a value, like X-Spam-Flag: yes")
        return value

    @field_validator(*template.KINDS)
    @classmethod
    def _usable(cls, value: str) -> str:
        try:
            template.check(value)
        except Refused as error:
            raise ValueError(f"it is no template: {error}") from error
        return value

    @field_validator("name", "sender_name", "authserv_id", "department")
    @classmethod
    def _plain_line(cls, value: str) -> str:
        if not value.isprintable() or len(value) > 200 or value != value.strip():
            raise ValueError("it must be one line of at most 200 ordinary characters")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value:
            try:
                ZoneInfo(value)
            except (ValueError, ZoneInfoNotFoundError, OSError) as error:
                raise ValueError("that is no time zone; write it like Europe/Berlin") from error
        return value

    @field_validator("sender_name")
    @classmethod
    def _fields(cls, value: str) -> str:
        try:
            named = list(Formatter().parse(value))
        except ValueError as error:
            raise ValueError("sender_name knows only {agent} and {inbox}") from error
        for _, field, form, conversion in named:
            if field not in (None, "agent", "inbox") or form or conversion:
                raise ValueError("sender_name knows only {agent} and {inbox}")
        return value

    @property
    def zone(self) -> ZoneInfo | None:
        return ZoneInfo(self.time_zone) if self.time_zone else None

    @model_validator(mode="after")
    def _one_direction(self) -> Inbox:
        if not self.receives and self.http is not None:
            raise ValueError("direction: outbound takes no mail, and http would bring some")
        return self

    @model_validator(mode="after")
    def _no_circle(self) -> Inbox:
        for spec in self.bcc:
            if key_of(spec) in self.own:
                raise ValueError(f"bcc: {spec} is this inbox itself")
        return self

    @property
    def sources(self) -> tuple[Imap, ...]:
        """The sections that configure sources of mail; ingress/kinds.py lists their types."""
        return (self.imap,) if self.imap is not None and self.receives else ()

    @property
    def receives(self) -> bool:
        return self.direction != "outbound"

    @property
    def shows_sent(self) -> bool:
        return self.sent_elsewhere == "show"

    @property
    def sends(self) -> bool:
        return self.smtp is not None and self.direction != "inbound"

    @property
    def grants(self) -> dict[str, tuple[str, str]]:
        """Name of each OAuth2 grant that it needs: (section of `oauth`, user)."""
        servers = [*self.sources, *([self.smtp] if self.smtp is not None else [])]
        return {
            grant_name(each.oauth, each.user): (each.oauth, each.user)
            for each in servers
            if each.oauth
        }

    @property
    def own(self) -> frozenset[str]:
        """The keys of all addresses of this inbox."""
        return frozenset(key_of(spec) for spec in (self.address, *self.aliases))

    @property
    def domain(self) -> str:
        """The domain of the address, in ASCII."""
        return ascii_domain(self.address.rpartition("@")[2])
