"""Secrets at rest, and what signs: keys that lie outside the database, or are derived from one."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bridge.model import Permanent


def new_key() -> str:
    """A fresh key: 32 random bytes in URL-safe base64, as Fernet wants it."""
    return Fernet.generate_key().decode()


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs and names, one key for each purpose.

    Whoever has the database or a backup of it has `rooms` and nothing else: the others are derived
    from the first encryption key, and change with it.
    """

    rooms: str
    """Names rooms and transactions. It outlives a rotation, or each room would be made twice."""
    ids: str
    """Signs Message-IDs and reply addresses."""
    pages: str
    drafts: str
    """Sign links to the two kinds of pages."""
    former: tuple[str, ...] = ()
    """Signed Message-IDs and reply addresses before; whoever has an old database may have them."""

    @classmethod
    def of(
        cls, encryption_keys: Sequence[str], installation: str, sealed: Sequence[str] = ()
    ) -> Keys:
        """`installation` is the random value that a database keeps, `sealed` are the `ids` that
        signed before. Raises Permanent for a key that is none."""
        vault = Vault(encryption_keys)
        ids, *others = (derived(key, installation, "ids") for key in encryption_keys)
        former = dict.fromkeys((*others, *vault.open_some(sealed), installation))
        pages, drafts = (
            derived(encryption_keys[0], installation, purpose) for purpose in ("pages", "drafts")
        )
        return cls(installation, ids, pages, drafts, tuple(former))


def derived(encryption_key: str, installation: str, purpose: str) -> str:
    """The key for a purpose (RFC 5869), 32 bytes in hex."""
    hkdf = HKDF(SHA256(), 32, installation.encode(), f"postroom {purpose}".encode())
    return hkdf.derive(base64.urlsafe_b64decode(encryption_key)).hex()


class Vault:
    """Seals with the first key, opens with any (MultiFernet). Raises Permanent for a key that is
    none, and for what no key opens."""

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise Permanent(
                "encryption_key: a key is 32 bytes in URL-safe base64; `postroom rekey` makes one"
            ) from error

    def seal(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, token: str) -> str:
        try:
            return self._fernet.decrypt(token).decode()
        except InvalidToken as error:
            raise Permanent(
                "encryption_key does not open what was sealed with another key; put the old key"
                " behind the new one, or set the password anew"
            ) from error

    def open_some(self, tokens: Sequence[str]) -> list[str]:
        """What these keys open of all that was sealed."""
        found = []
        for token in tokens:
            with contextlib.suppress(Permanent):
                found.append(self.open(token))
        return found

    def rotate(self, token: str) -> str:
        """The same secret sealed with the first key."""
        try:
            return self._fernet.rotate(token).decode()
        except InvalidToken as error:
            raise Permanent("encryption_key does not open a secret of the database") from error
