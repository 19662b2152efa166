"""Settings: config.yaml and the environment, checked, as frozen values."""

from __future__ import annotations

import difflib
import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from bridge.model import BridgeError, InboxId

MIB = 1024 * 1024
MXID = re.compile(r"@[^:\s]+:[^\s]+")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ConfigError(BridgeError):
    """The configuration cannot be used; the text names file, line, key and cure."""


def _secret(value: Any) -> Any:
    """Accept a plain string, `{env: NAME}` or `{file: PATH}`."""
    if isinstance(value, dict) and len(value) == 1:
        (source, name), *_ = value.items()
        if source == "env":
            if name not in os.environ:
                raise ValueError(f"environment variable {name} is not set")
            return os.environ[name]
        if source == "file":
            return Path(name).read_text(encoding="utf-8").strip()
        raise ValueError("write the secret itself, {env: NAME} or {file: PATH}")
    return value


Secret = Annotated[SecretStr, BeforeValidator(_secret)]


def _mxid(value: str) -> str:
    if not MXID.fullmatch(value):
        raise ValueError(f"{value!r} is no Matrix id; write it like @alice:example.com")
    return value


MatrixId = Annotated[str, BeforeValidator(_mxid)]


class Section(BaseModel):
    """A part of the file: frozen, and no key but the ones named here."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class Limits(Section):
    mail_size: int = 50 * MIB
    """Bytes of a whole mail; a larger one stays in the mailbox and is announced."""
    upload_size: int | None = None
    """Bytes; None asks the homeserver."""


class Server(Section):
    """One end of a mail connection."""

    host: str
    port: int = 0
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    plaintext_allowed: bool = False
    ca_file: Path | None = None
    user: str = ""
    password: Secret = SecretStr("")

    @model_validator(mode="after")
    def _encrypted(self) -> Server:
        if self.tls == "none" and self.host not in LOOPBACK and not self.plaintext_allowed:
            raise ValueError(
                f"tls: none would send the password to {self.host} in the clear;"
                " use implicit or starttls, or say plaintext_allowed: true"
            )
        return self


class Imap(Server):
    folders: tuple[str, ...] = ("INBOX",)
    poll: int = Field(120, ge=1)
    """Seconds between checks where IDLE does not report."""
    mark_seen: bool = False
    since: date | None = None
    """First start takes mail from this date; None takes mail from now on."""

    @model_validator(mode="after")
    def _log_in(self) -> Imap:
        if not self.user or not self.password.get_secret_value():
            raise ValueError("imap needs user and password")
        return self

    @property
    def account(self) -> str:
        """Names the mail account: inboxes with the same one share a connection."""
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
    def at_port(self) -> int:
        return self.port or {"implicit": 465, "starttls": 587, "none": 25}[self.tls]

    @model_validator(mode="after")
    def _log_in(self) -> Smtp:
        if self.auth == "password" and not (self.user and self.password.get_secret_value()):
            raise ValueError("smtp needs user and password, or auth: none")
        return self


class Inbox(Section):
    """One shared address and how it is answered."""

    id: InboxId = InboxId("")
    name: str
    address: str
    aliases: tuple[str, ...] = ()
    agents: tuple[MatrixId, ...] = ()
    leads: tuple[MatrixId, ...] = ()
    agents_invite: Literal["admins", "leads"] = "admins"
    federate: bool = False
    paused: bool = False
    default: bool = False
    undo: float = Field(10.0, ge=0, le=600)
    """Seconds during which a send can be taken back."""
    sender_name: str = "{agent} from {inbox}"
    signature: str = ""
    authserv_id: str = ""
    sent_copy: Literal["auto", "always", "never"] = "auto"
    on_unknown: Literal["ask", "retry"] = "ask"
    imap: Imap | None = None
    smtp: Smtp | None = None

    @field_validator("address", "aliases")
    @classmethod
    def _addresses(cls, value: Any) -> Any:
        for spec in (value,) if isinstance(value, str) else value:
            if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", spec):
                raise ValueError(f"{spec!r} is no email address")
        return value

    @field_validator("sender_name")
    @classmethod
    def _fields(cls, value: str) -> str:
        try:
            value.format(agent="", inbox="")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError("sender_name knows only {agent} and {inbox}") from error
        return value

    @property
    def own(self) -> frozenset[str]:
        """Every address of ours in this inbox, case-folded."""
        return frozenset(spec.casefold() for spec in (self.address, *self.aliases))

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


class Settings(Section):
    """The whole of config.yaml."""

    homeserver: Homeserver
    appservice: Listener = Listener()
    health: Health = Health()
    database: str = "sqlite:postroom.db"
    admins: tuple[MatrixId, ...] = Field(min_length=1)
    limits: Limits = Limits()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    command_prefix: str = Field("!", min_length=1, max_length=3)
    inboxes: dict[InboxId, Inbox] = Field(default_factory=dict)

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
        return self

    def accounts(self) -> dict[str, tuple[Inbox, ...]]:
        """The inboxes of each IMAP account, keyed by `Imap.account`."""
        found: dict[str, tuple[Inbox, ...]] = {}
        for inbox in self.inboxes.values():
            if inbox.imap is not None:
                found[inbox.imap.account] = (*found.get(inbox.imap.account, ()), inbox)
        return found


class Registration(Section):
    """What we need of registration.yaml; the homeserver reads the same file."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    id: str
    as_token: SecretStr
    hs_token: SecretStr
    sender_localpart: str


def load(path: Path) -> Settings:
    """Read and check config.yaml. Raises ConfigError; relative paths are taken from its folder."""
    data = _read(path)
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(path, data, error))) from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.filename}: {error.strerror}") from error
    registration = path.parent / settings.appservice.registration
    kind, _, rest = settings.database.partition(":")
    database = settings.database
    if kind == "sqlite" and not rest.startswith("/"):
        database = f"sqlite:{(path.parent / rest).resolve()}"
    appservice = settings.appservice.model_copy(update={"registration": registration})
    return settings.model_copy(update={"appservice": appservice, "database": database})


def load_registration(settings: Settings) -> Registration:
    """Read the tokens. Raises ConfigError."""
    path = settings.appservice.registration
    try:
        return Registration.model_validate(_read(path))
    except ValidationError as error:
        raise ConfigError(f"{path}: {error.errors()[0]['loc'][0]} is missing") from error


def _read(path: Path) -> Any:
    try:
        data = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; `postroom init` writes one") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (MarkedYAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: empty or not a map of keys")
    return data


def _explain(path: Path, data: Any, error: ValidationError) -> list[str]:
    """One line a fault: file, line, key, what is wrong, and the nearest known key."""
    lines = []
    for fault in error.errors():
        loc = fault["loc"]
        where = f"{path}:{_line(data, loc)}: {'.'.join(map(str, loc)) or 'file'}"
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(loc[-1]), _known(loc[:-1]), n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            lines.append(f"{where}: unknown key{hint}")
        elif fault["type"] == "missing":
            lines.append(f"{where}: missing")
        else:
            lines.append(f"{where}: {fault['msg'].removeprefix('Value error, ')}")
    return lines


def _line(data: Any, loc: tuple[int | str, ...]) -> int:
    """The line of the deepest key of `loc` that is in the file."""
    line = 1
    for key in loc:
        position = getattr(data, "lc", None)
        if position is None:
            break
        if isinstance(data, dict) and key in data:
            line = position.key(key)[0] + 1
            data = data[key]
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            line = position.item(key)[0] + 1
            data = data[key]
        else:
            break
    return line


def _known(loc: tuple[int | str, ...]) -> list[str]:
    """The keys known at `loc`."""
    section: Any = Settings
    for key in loc:
        if section is Settings and key == "inboxes":
            section = dict
        elif section is dict:
            section = Inbox
        else:
            inner = section.model_fields[str(key)].annotation
            section = next(
                (part for part in getattr(inner, "__args__", (inner,)) if part is not type(None)),
                None,
            )
    return [name for name in section.model_fields if name != "id" or section is not Inbox]
