"""`postroom backup | restore | copy-database | rekey`: an operator's commands for a database."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import shutil
import sqlite3
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bridge.config.load import key_file, write_private
from bridge.config.settings import KEY_FILE, ConfigError, Settings
from bridge.config.vault import Keys, Vault, new_key
from bridge.desk.admin.sealed import SEALED
from bridge.model import Permanent
from bridge.store.copying import copy, make_safe
from bridge.store.database import Database


async def backup(settings: Settings, file: Path) -> str:
    """Write the whole database into one SQLite file, also while the bridge runs. Returns a report.

    Passwords stay encrypted in it; the key is in a separate file. Raises Permanent where `file`
    exists or there is no database.
    """
    if file.exists():
        raise Permanent(f"{file} is there already; a backup never overwrites one")
    with tempfile.TemporaryDirectory(dir=file.resolve().parent) as folder:
        part = Path(folder) / "backup.db"
        os.close(os.open(part, os.O_CREAT | os.O_WRONLY, 0o600))
        if settings.database.startswith("sqlite:"):
            await asyncio.to_thread(_copy_file, settings.database.removeprefix("sqlite:"), part)
        else:
            await _copy_between(settings.database, f"sqlite:{part}")
        await asyncio.to_thread(_finish, part)
        part.rename(file)
    return (
        f"{file}: {file.stat().st_size / 1_000_000:.1f} MB. Keep {KEY_FILE} (encryption_key) in"
        " another place: without it the passwords given in chat cannot be read"
    )


def _copy_file(source: str, target: Path) -> None:
    """Copy by SQLite's online backup, which neither blocks nor waits for the running bridge."""
    if not Path(source).exists():
        raise Permanent(f"{source}: there is no database yet")
    address = f"{Path(source).absolute().as_uri()}?mode=ro"
    with (
        contextlib.closing(sqlite3.connect(address, uri=True)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


def _finish(part: Path) -> None:
    """Make the backup a single file, and store its time in it."""
    with contextlib.closing(sqlite3.connect(part)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        # a database not yet upgraded to this version has its settings in the older table `keep`
        at = (str(time.time()),)
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'setting'").fetchone():
            db.execute("INSERT OR REPLACE INTO setting VALUES ('backup-at', ?)", at)
        else:
            db.execute("INSERT OR REPLACE INTO keep VALUES ('backup-at', ?)", at)
        db.commit()


async def _copy_between(source: str, target: str) -> int:
    old = await Database.open(source)
    try:
        new = await Database.open(target)
        try:
            return (await copy(old, new, lambda _: None))[0]
        finally:
            await new.close()
    finally:
        await old.close()


async def restore(settings: Settings, file: Path) -> str:
    """Fill an empty database from a backup, so that no mail is sent twice. Raises Permanent where
    the file is not a backup, or the database is in use or not empty."""
    if not file.exists():
        raise Permanent(f"{file}: no such file")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "backup.db"
        shutil.copyfile(file, work)  # migrate a copy, so that the backup itself is not changed
        try:
            old = await Database.open(f"sqlite:{work}")
        except sqlite3.DatabaseError as error:
            raise Permanent(f"{file} is no backup of Postroom: {error}") from error
        try:
            new = await Database.open(settings.database)
            try:
                await _refuse_used(new, settings)
                safe = functools.partial(make_safe, database=new, now=time.time())
                rows, asked = await copy(old, new, lambda _: None, safe)
            finally:
                await new.close()
        finally:
            await old.close()
    return (
        f"{settings.database_name}: {rows} rows restored; {asked} mails that may have left since"
        " will be asked about"
    )


async def copy_database(settings: Settings, target: str) -> str:
    """Copy to another database, for example from SQLite to PostgreSQL. Raises Permanent where the
    bridge is running or the target is not empty."""
    if not target.startswith(("sqlite:", "postgres://", "postgresql://")):
        raise Permanent(f"{target}: write sqlite:FILE or postgres://user:password@host/name")
    old = await Database.open(settings.database)
    try:
        await _refuse_used(old, settings)
        new = await Database.open(target)
        try:
            rows, _ = await copy(old, new, lambda text: print(text, flush=True))
        finally:
            await new.close()
    finally:
        await old.close()
    return f"{rows} rows copied. Set database to the new one in config.yaml and start the bridge"


async def _refuse_used(database: Database, settings: Settings) -> None:
    if await database.others():
        raise Permanent(f"{settings.database_name} is in use by a running bridge; stop it first")


async def rekey(settings: Settings, config: Path) -> str:
    """Encrypt every secret again: with a new key where the key is in a file, otherwise with the
    first of the configured keys. Safe to kill at any point: the old key is removed last."""
    path = key_file(config)
    keys = settings.encryption_key.get_secret_value().split()
    if path is not None:
        keys = [new_key(), *keys]
        _replace(path, keys)
    database = await Database.open(settings.database)
    try:
        await _refuse_used(database, settings)
        count = await _rotate(database, keys)
    finally:
        await database.close()
    if path is None:
        return f"secrets sealed with the first key: {count}; the other keys can go"
    _replace(path, keys[:1])
    return f"secrets sealed with a new key in {path}: {count}"


def _replace(path: Path, keys: list[str]) -> None:
    beside = path.with_name(f".{path.name}.new")
    try:
        write_private(beside, "\n".join(keys) + "\n")
        beside.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error


async def _rotate(database: Database, keys: list[str]) -> int:
    count, vault = 0, Vault(keys)
    async with database.transaction("settings") as tx:
        # the old signing secrets are kept, so that answers to earlier mails find their conversation
        installation, sealed = await tx.settings.secret(), await tx.settings.former_ids()
        former = dict.fromkeys(Keys.of(keys, installation, sealed).former)
        await tx.settings.set_former_ids([vault.seal(each) for each in former])
        for stored in await tx.inboxes.all():
            secrets = {key: vault.rotate(token) for key, token in stored.secrets.items()}
            await tx.conn.execute(
                "UPDATE inbox SET secrets = $1 WHERE id = $2", json.dumps(secrets), stored.id
            )
            count += len(secrets)
        for domain in await tx.domains.all():
            secrets = {key: vault.rotate(token) for key, token in domain.secrets.items()}
            await tx.domains.save(replace(domain, secrets=secrets))
            count += len(secrets)
        for grant in await tx.grants.all():
            if not grant.sealed:  # no token came yet
                continue
            await tx.grants.put(replace(grant, sealed=vault.rotate(grant.sealed)))
            count += 1
        rows = await tx.conn.fetch(
            "SELECT id, content FROM event WHERE content LIKE $1", f"%{SEALED}%"
        )
        for row in rows:  # encrypted events of the control room that are not handled yet
            content = json.loads(row["content"])
            if not isinstance(content.get(SEALED), str):
                continue  # the content only mentions the key's name
            content[SEALED] = vault.rotate(content[SEALED])
            await tx.conn.execute(
                "UPDATE event SET content = $1 WHERE id = $2", json.dumps(content), row["id"]
            )
    return count
