"""Settings: config.yaml and the environment, checked, as frozen values."""

from __future__ import annotations

import base64
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

from bridge.config.inbox import Inbox, Secret, secret
from bridge.config.section import MatrixId, Section
from bridge.model import BridgeError, InboxId

MIB = 1024 * 1024
KEY_FILE = "postroom.key"


class ConfigError(BridgeError):
    """The configuration cannot be used; the text names file, line, key and cure."""


class Homeserver(Section):
    url: str = "http://127.0.0.1:8008"
    server_name: str
    room_version: Literal["11", "12"] = "12"


class Listener(Section):
    """Where the homeserver's pushes arrive. `url` is how the homeserver reaches it."""

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
    """Where /health answers; never the same listener as the pushes."""

    host: str = "127.0.0.1"
    port: int = 29331


class Public(Section):
    """The listener behind `public_url`."""

    host: str = "127.0.0.1"
    port: int = 29332


class Limits(Section):
    mail_size: int = 50 * MIB
    """Bytes of a whole mail; a larger one stays in the mailbox and is announced."""
    upload_size: int | None = None
    """Bytes; None asks the homeserver."""
    rooms_per_sender: int = Field(30, ge=1)
    """New conversations that one sender may begin in an hour; further mails share a room."""
    rooms_per_inbox: int = Field(300, ge=1)
    """New conversations that an inbox may have in an hour."""
    free_disk: int = Field(100 * MIB, ge=0)
    """Bytes that stay free on the disk of an SQLite database: under it no mail is taken in."""


class Retention(Section):
    """Days after which something is forgotten; None keeps it for ever."""

    raw_mail: int | None = Field(None, ge=1)
    """The bytes of mails, in and out; conversations stay as they are in their rooms."""
    rooms: int | None = Field(30, ge=1)
    """Closed conversations: everybody leaves their rooms, and comes back when they open again."""
    closed: int | None = Field(None, ge=1)
    """Closed conversations, whole: their rooms are emptied."""


class Settings(Section):
    """The whole of config.yaml."""

    homeserver: Homeserver
    appservice: Listener = Listener()
    health: Health = Health()
    public_url: str = ""
    """Where browsers reach the bridge's pages; empty for no pages."""
    public: Public = Public()
    database: Annotated[str, BeforeValidator(secret)] = "sqlite:postroom.db"
    admins: tuple[MatrixId, ...] = Field(min_length=1)
    limits: Limits = Limits()
    retention: Retention = Retention()
    webhook_secret: Secret = SecretStr("")
    """Signs what rules send to other programs."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    command_prefix: str = Field("!", min_length=1, max_length=3)
    encryption_key: Secret = SecretStr("")
    """Fernet keys, newest first, white space between; seals passwords given in chat."""
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
        if isinstance(data, dict) and isinstance(data.get("inboxes"), dict):
            named = {
                key: {**value, "id": key} if isinstance(value, dict) else value
                for key, value in data["inboxes"].items()
            }
            data = {**data, "inboxes": named}
        return data

    @model_validator(mode="after")
    def _distinct(self) -> Settings:
        self.check_distinct()
        return self

    def check_distinct(self) -> None:
        """Raises ValueError where inboxes get in each other's way."""
        seen: dict[str, str] = {}
        for inbox in self.inboxes.values():
            if not re.fullmatch(r"[a-z0-9-]{1,40}", inbox.id):
                raise ValueError(f"inbox {inbox.id!r}: use a-z, 0-9 and - only")
            for spec in inbox.own:
                if spec in seen:
                    raise ValueError(f"{spec} belongs to inbox {seen[spec]} and to {inbox.id}")
                seen[spec] = inbox.id
        for account, shared in self.accounts().items():
            if sum(inbox.default for inbox in shared) != 1 and len(shared) > 1:
                raise ValueError(f"{account} serves {len(shared)} inboxes: give one default: true")

    def with_inbox(self, inbox: Inbox) -> Settings:
        """These settings with one more inbox, or one changed. Raises ConfigError where it gets in
        the way of another."""
        more = self.model_copy(update={"inboxes": {**self.inboxes, inbox.id: inbox}})
        try:
            more.check_distinct()
        except ValueError as error:
            raise ConfigError(str(error)) from error
        return more

    @property
    def database_name(self) -> str:
        """The database without its password."""
        return without_password(self.database)

    def accounts(self) -> dict[str, tuple[Inbox, ...]]:
        """The inboxes that share each way in, keyed by its `account`."""
        found: dict[str, tuple[Inbox, ...]] = {}
        for inbox in self.inboxes.values():
            for way in inbox.ways_in:
                found[way.account] = (*found.get(way.account, ()), inbox)
        return found


def without_password(url: str) -> str:
    """A database's URL as it may be shown."""
    url = re.sub(r"(//[^:@/]*):[^@]*@", r"\1@", url)
    return re.sub(r"([?&]password=)[^&]*", r"\1…", url)


class Registration(Section):
    """What we need of registration.yaml; the homeserver reads the same file."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)
    id: str
    as_token: SecretStr
    hs_token: SecretStr
    sender_localpart: str
