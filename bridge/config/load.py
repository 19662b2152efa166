"""Read config.yaml, registration.yaml and the encryption key beside them from the disk."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any, get_origin

from pydantic import (
    SecretStr,
    ValidationError,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from bridge.config.inbox import Inbox
from bridge.config.oauth import OAuthClient
from bridge.config.settings import KEY_FILE, ConfigError, Registration, Settings
from bridge.config.vault import new_key


def load(path: Path, *, make_key: bool = False) -> Settings:
    """Read and check config.yaml. Raises ConfigError; relative paths start at its folder.
    `make_key`: create postroom.key beside it if no encryption key is configured or exists."""
    data = read_file(path)
    try:
        settings = Settings.model_validate(data, context={"folder": path.parent})
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(path, data, error))) from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.filename}: {error.strerror}") from error
    registration = path.parent / settings.appservice.registration
    database = settings.database
    if database.startswith("sqlite:"):
        database = f"sqlite:{(path.parent / database.removeprefix('sqlite:')).resolve()}"
    appservice = settings.appservice.model_copy(update={"registration": registration})
    key = settings.encryption_key
    if not key.get_secret_value():
        key = SecretStr(_key_beside(path, make=make_key))
    return settings.model_copy(
        update={
            "appservice": appservice,
            "database": database,
            "encryption_key": key,
            "spool": path.parent / settings.spool,
        }
    )


def _key_beside(path: Path, *, make: bool) -> str:
    """The key in postroom.key beside config.yaml; if there is none, a new key, which is written to
    that file only if `make` is set."""
    beside = path.parent / KEY_FILE
    try:
        if not beside.exists():
            if not make:
                return new_key()
            write_private(beside, new_key() + "\n")
        return beside.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"{beside}: {error.strerror}; or give encryption_key in {path.name}"
        ) from error


def key_file(path: Path) -> Path | None:
    """The file with the encryption key; None if config.yaml gives the key in another way."""
    given = read_file(path).get("encryption_key")
    if not given:
        return path.parent / KEY_FILE
    named = given.get("file") if isinstance(given, dict) else None
    return path.parent / named if named else None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def load_registration(settings: Settings) -> Registration:
    """Read registration.yaml with the tokens. Raises ConfigError."""
    path = settings.appservice.registration
    try:
        return Registration.model_validate(read_file(path))
    except ValidationError as error:
        raise ConfigError(f"{path}: {error.errors()[0]['loc'][0]} is missing") from error


def read_file(path: Path) -> Any:
    """The keys of a YAML file as they stand there. Raises ConfigError."""
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
    """One line per fault: file, line, key, the fault, and the nearest known key."""
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
    """Line number of the deepest key of `loc` that the file contains."""
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
    """The valid keys of the section at `loc`."""
    section: Any = Settings
    is_map = False
    for key in loc:
        if is_map:  # a name that somebody chose
            is_map = False
            continue
        inner = section.model_fields[str(key)].annotation
        is_map = get_origin(inner) is dict
        parts = [part for part in getattr(inner, "__args__", (inner,)) if part is not type(None)]
        section = parts[-1] if is_map else parts[0]
    given = section in (Inbox, OAuthClient)  # their id is the name in the map
    return [name for name in section.model_fields if not (given and name == "id")]
