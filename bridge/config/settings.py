"""Settings of config.yaml and the environment, validated and frozen."""

from __future__ import annotations

import base64
import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from bridge.config.inbox import Inbox
from bridge.config.oauth import OAuthClient
from bridge.config.section import MatrixId, Section
from bridge.config.server import Secret, secret
from bridge.model import BridgeError, InboxId
from bridge.model.dns import name_server

MIB = 1024 * 1024
KEY_FILE = "postroom.key"


class ConfigError(BridgeError):
    """The configuration is invalid; the text names the file, line and key, and how to fix it."""


class Homeserver(Section):
    url: str = "http://127.0.0.1:8008"
    server_name: str
    room_version: Literal["11", "12"] = "12"
    encryption: Literal["tell", "avoid"] = "tell"
    """Where the homeserver encrypts new rooms: tell the admins, or ask for rooms of a kind that it
    leaves unencrypted."""


class Listener(Section):
    """The listener for the homeserver's pushes. `url` is how the homeserver reaches it."""

    host: str = "127.0.0.1"
    port: int = 29330
    url: str = ""
    id: str = "postroom"
    prefix: str = Field("email_", pattern=r"^[a-z0-9._=-]+_$")
    registration: Path = Path("registration.yaml")

    @property
    def reached_at(self) -> str:
        return self.url or f"http://{self.host}:{self.port}"


class Health(Section):
    """The listener for /health; never the same as the listener for pushes."""

    host: str = "127.0.0.1"
    port: int = 29331


class Public(Section):
    """The listener for the pages at `public_url`."""

    host: str = "127.0.0.1"
    port: int = 29332


class Limits(Section):
    mail_size: int = 50 * MIB
    """Maximum bytes of a mail; a larger mail stays in the mailbox and is announced."""
    upload_size: int | None = None
    """Maximum bytes of an upload; None uses the limit of the homeserver."""
    rooms_per_sender: int = Field(30, ge=1)
    """Maximum new conversations of one sender in an hour; further mails share a room."""
    rooms_per_inbox: int = Field(300, ge=1)
    """Maximum new conversations of an inbox in an hour."""
    free_disk: int = Field(100 * MIB, ge=0)
    """Bytes to keep free on the disk of an SQLite database: with less, no mail is accepted."""


class MailListener(Section):
    """Where mail comes straight to us; port 0: nowhere."""

    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65535)


class SmtpListener(MailListener):
    cert_file: Path | None = None
    """A PEM file with the certificates for STARTTLS; None for none."""
    key_file: Path | None = None
    proxies: tuple[str, ...] = ()
    """IP addresses of proxies before it, which have to say by the PROXY protocol whose connection
    each is."""

    @field_validator("proxies")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(str(ipaddress.ip_address(each)) for each in value)
        except ValueError as error:
            raise ValueError(f"{error}; name each proxy by its IP address") from error


class Ingress(Section):
    """Mail that is brought for all inboxes, each known by the mail's recipient: by SMTP or LMTP, or
    posted to `public_url` at Rails' addresses, as the scripts of a Chatwoot installation do."""

    domain: str = Field("", pattern=r"^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)?$")
    """The domain at which `!inbox forward` makes addresses."""
    smtp: SmtpListener = SmtpListener()
    lmtp: MailListener = MailListener()
    password: Secret = SecretStr("")
    """Of the user `actionmailbox`; empty: nothing is taken there."""
    keys: dict[Literal["mailgun", "mandrill", "ses"], Secret] = Field(default_factory=dict)
    """What proves a post at Rails' addresses in place of the password, as `http.key` does."""
    others_to: InboxId = InboxId("")
    """The inbox that takes what none of them owns; empty: it is refused."""


class Retention(Section):
    """Days after which data is deleted; None keeps it forever."""

    raw_mail: int | None = Field(None, ge=1)
    """Days to keep the raw bytes of incoming and outgoing mails. The messages in rooms are not
    deleted."""
    rooms: int | None = Field(30, ge=1)
    """Closed conversations: all members leave the room, and return when it opens again."""
    closed: int | None = Field(None, ge=1)
    """Closed conversations as a whole: their data is deleted and their rooms are emptied."""


class Settings(Section):
    """The whole of config.yaml."""

    homeserver: Homeserver
    appservice: Listener = Listener()
    health: Health = Health()
    public_url: str = ""
    """Base URL of the bridge's pages for browsers; empty for no pages."""
    public: Public = Public()
    database: Annotated[str, BeforeValidator(secret)] = "sqlite:postroom.db"
    admins: tuple[MatrixId, ...] = Field(min_length=1)
    limits: Limits = Limits()
    ingress: Ingress = Ingress()
    spool: Path = Path("spool")
    """Folder of mails that `postroom ingest` took and the bridge has not."""
    retention: Retention = Retention()
    webhook_secret: Secret = SecretStr("")
    """Key that signs the webhook calls of rules."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    command_prefix: str = Field("!", min_length=1, max_length=3)
    encryption_key: Secret = SecretStr("")
    """Fernet keys, newest first, separated by white space; they encrypt passwords given in chat."""
    oauth: dict[str, OAuthClient] = Field(default_factory=dict)
    """The clients of this installation at providers that want OAuth2, each under a short name."""
    name_servers: tuple[str, ...] = ()
    """Name servers to ask, as IP address or [address]:port; empty: the system's."""
    inboxes: dict[InboxId, Inbox] = Field(default_factory=dict)

    @field_validator("database")
    @classmethod
    def _engine(cls, value: str) -> str:
        if not re.match(r"sqlite:.|postgres(ql)?://", value):
            raise ValueError("write sqlite:FILE or postgres://user:password@host/name")
        return value

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/?#'\";,]+(/[\w./~-]*)?", value):
            raise ValueError("write it like https://postroom.example.com")
        return value.rstrip("/")

    @field_validator("name_servers")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            name_server(each)
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _signs(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        try:
            if text.startswith("whsec_"):
                base64.b64decode(text[6:], validate=True)
        except ValueError as error:
            raise ValueError("what stands behind whsec_ is no base64") from error
        return value

    @model_validator(mode="before")
    @classmethod
    def _name_inboxes(cls, data: Any) -> Any:
        for section in ("inboxes", "oauth"):
            if isinstance(data, dict) and isinstance(data.get(section), dict):
                named = {
                    key: {**value, "id": key} if isinstance(value, dict) else value
                    for key, value in data[section].items()
                }
                data = {**data, section: named}
        return data

    @model_validator(mode="after")
    def _distinct(self) -> Settings:
        self.check_inboxes()
        return self

    def check_inboxes(self) -> None:
        """Check inbox ids, addresses and defaults. Raises ValueError if inboxes conflict."""
        seen: dict[str, str] = {}
        for inbox in self.inboxes.values():
            if not re.fullmatch(r"[a-z0-9-]{1,40}", inbox.id):
                raise ValueError(f"inbox {inbox.id!r}: use a-z, 0-9 and - only")
            for spec in inbox.own:
                if spec in seen:
                    raise ValueError(f"{spec} belongs to inbox {seen[spec]} and to {inbox.id}")
                seen[spec] = inbox.id
            for name, _ in inbox.grants.values():
                if name not in self.oauth:
                    there = ", ".join(self.oauth) or "none"
                    raise ValueError(
                        f"inbox {inbox.id} logs in through oauth {name}, and config.yaml has"
                        f" {there} under oauth; docs/oauth.md shows how"
                    )
        for account, shared in self.accounts().items():
            if sum(inbox.default for inbox in shared) != 1 and len(shared) > 1:
                raise ValueError(f"{account} serves {len(shared)} inboxes: give one default: true")

    def with_inbox(self, inbox: Inbox) -> Settings:
        """These settings with `inbox` added or replaced. Raises ConfigError if it conflicts with
        another inbox."""
        more = self.model_copy(update={"inboxes": {**self.inboxes, inbox.id: inbox}})
        try:
            more.check_inboxes()
        except ValueError as error:
            raise ConfigError(str(error)) from error
        return more

    @property
    def database_name(self) -> str:
        """The database URL without its password."""
        return without_password(self.database)

    def accounts(self) -> dict[str, tuple[Inbox, ...]]:
        """The inboxes that share a source of mail, by the `account` of that source."""
        found: dict[str, tuple[Inbox, ...]] = {}
        for inbox in self.inboxes.values():
            for way in inbox.sources:
                found[way.account] = (*found.get(way.account, ()), inbox)
        return found

    def using(self, grant: str) -> list[Inbox]:
        """The inboxes that log in with a grant."""
        return [inbox for inbox in self.inboxes.values() if grant in inbox.grants]

    def sending_account(self, inbox: Inbox) -> str:
        """The name of the log-in through which an inbox sends: of its account, and of the first
        inbox with the same password, as one of several may have an older one."""
        assert inbox.smtp is not None
        same = (each.id for each in self.inboxes.values() if each.smtp == inbox.smtp)
        return f"{inbox.smtp.account} of {next(same, inbox.id)}"

    def sending_through(self, account: str) -> list[Inbox]:
        """The inboxes that send through a log-in."""
        return [
            inbox
            for inbox in self.inboxes.values()
            if inbox.smtp is not None and self.sending_account(inbox) == account
        ]


def without_password(url: str) -> str:
    """A database URL without its password, for logs and messages."""
    url = re.sub(r"(//[^:@/]*):[^@]*@", r"\1@", url)
    return re.sub(r"([?&]password=)[^&]*", r"\1…", url)


class Registration(Section):
    """The keys of registration.yaml that the bridge uses; the homeserver reads the same file."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)
    id: str
    as_token: SecretStr
    hs_token: SecretStr
    sender_localpart: str
