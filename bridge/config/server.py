"""Settings of the servers that an inbox uses, and of what posts its mail."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bridge.config.section import Section

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def secret(value: Any, info: ValidationInfo) -> Any:
    """Accept a plain string, `{env: NAME}` or `{file: PATH}`. A relative path starts at the folder
    of config.yaml, which the validation context holds as `folder`. Raises ValueError or OSError."""
    if isinstance(value, dict) and len(value) == 1:
        (source, name), *_ = value.items()
        if source == "env":
            if name not in os.environ:
                raise ValueError(f"environment variable {name} is not set")
            return os.environ[name]
        if source == "file":
            folder = Path((info.context or {}).get("folder", ""))
            return (folder / name).read_text(encoding="utf-8").strip()
        raise ValueError("write the secret itself, {env: NAME} or {file: PATH}")
    return value


Secret = Annotated[SecretStr, BeforeValidator(secret)]


class Server(Section):
    """A mail server: address, encryption and log-in."""

    host: str = Field(min_length=1)
    port: int = Field(0, ge=0, le=65535)
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    plaintext_allowed: bool = False
    ca_file: Path | None = None
    user: str = ""
    password: Secret = SecretStr("")
    oauth: str = Field("", max_length=40)
    """The section of `oauth` through which it logs in; empty for a password."""

    @property
    def at_port(self) -> int:
        """The port; subclasses return the default port if none is set."""
        return self.port

    @field_validator("host")
    @classmethod
    def _named(cls, value: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|[0-9A-Fa-f:]+", value) is None:
            raise ValueError("that is not a server name; write it like mail.example.com")
        return value

    @field_validator("user", "password")
    @classmethod
    def _one_line(cls, value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if re.search(r"[\x00-\x1f\x7f]", text):
            raise ValueError("it holds a line break or another control character")
        return value

    @model_validator(mode="after")
    def _encrypted(self) -> Server:
        if self.tls == "none" and self.host not in LOOPBACK and not self.plaintext_allowed:
            raise ValueError(
                f"tls: none would send the password to {self.host} in the clear;"
                " use implicit or starttls, or say plaintext_allowed: true"
            )
        return self


class Imap(Server):
    folders: tuple[str, ...] = Field(("INBOX",), min_length=1, max_length=50)
    poll: int = Field(120, ge=1, le=86400)
    """Seconds between checks when IDLE reports nothing."""
    mark_seen: bool = False
    since: date | None = None
    """The first start takes mail since this date; None takes only mail that arrives from now on."""

    @model_validator(mode="after")
    def _check_credentials(self) -> Imap:
        if not self.user or not (self.oauth or self.password.get_secret_value()):
            raise ValueError("imap needs user and password")
        return self

    @property
    def account(self) -> str:
        """Name of the mail account; inboxes with the same account share a connection."""
        return f"{self.user}@{self.host}:{self.at_port}"

    @property
    def at_port(self) -> int:
        return self.port or (993 if self.tls == "implicit" else 143)

    @property
    def starts_at(self) -> float | None:
        if self.since is None:
            return None
        return datetime(self.since.year, self.since.month, self.since.day, tzinfo=UTC).timestamp()


class Smtp(Server):
    auth: Literal["password", "none"] = "password"

    @property
    def account(self) -> str:
        """Name of the account; what keeps one inbox from sending keeps all with the same one."""
        return f"{self.user}@{self.host}:{self.at_port}"

    @property
    def at_port(self) -> int:
        return self.port or {"implicit": 465, "starttls": 587, "none": 25}[self.tls]

    @model_validator(mode="after")
    def _check_credentials(self) -> Smtp:
        secret = self.oauth or self.password.get_secret_value()
        if self.auth == "password" and not (self.user and secret):
            raise ValueError("smtp needs user and password, or auth: none")
        return self


class Http(Section):
    """Mail that a provider or a script posts to an address of ours; `!inbox hook` gives it."""

    kind: Literal["relay", "mailgun", "mandrill", "postmark", "sendgrid", "ses"] = "relay"
    key: Secret = SecretStr("")
    """What proves that a request is the provider's: Mailgun's signing key, Mandrill's key,
    SendGrid's public key, the ARN of the SNS topic. Without one nothing is taken."""
