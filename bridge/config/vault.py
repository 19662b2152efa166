"""Encryption of stored secrets with keys kept outside the database, and derived signing keys."""

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
    """A fresh Fernet key: 32 random bytes in URL-safe base64."""
    return Fernet.generate_key().decode()


@dataclass(frozen=True, slots=True)
class Keys:
    """The bridge's signing keys, one for each purpose.

    A person with the database or a backup of it has only the key `rooms`: the other keys are
    derived from the first encryption key, and change with it.
    """

    for_aliases: str
    """Makes room aliases and transaction ids. It stays the same when encryption keys are rotated;
    otherwise each room would be created twice."""
    ids: str
    """Signs Message-IDs and reply addresses."""
    pages: str
    drafts: str
    """`pages` and `drafts` sign the links to the two kinds of pages."""
    former: tuple[str, ...] = ()
    """Earlier values of `ids`: Message-IDs and reply addresses made with them are still
    recognised, but trusted less, because a person with an old database may know them."""

    @classmethod
    def of(
        cls, encryption_keys: Sequence[str], installation: str, sealed: Sequence[str] = ()
    ) -> Keys:
        """Derive all keys from the encryption keys. `installation` is the random value stored in
        the database; `sealed` holds earlier values of the key `ids`, encrypted. Raises Permanent
        for an invalid encryption key."""
        vault = Vault(encryption_keys)
        ids, *others = (derived(key, installation, "ids") for key in encryption_keys)
        former = dict.fromkeys((*others, *vault.open_some(sealed), installation))
        pages, drafts = (
            derived(encryption_keys[0], installation, purpose) for purpose in ("pages", "drafts")
        )
        return cls(installation, ids, pages, drafts, tuple(former))


def derived(encryption_key: str, installation: str, purpose: str) -> str:
    """The key for a purpose, derived with HKDF (RFC 5869): 32 bytes in hex."""
    hkdf = HKDF(SHA256(), 32, installation.encode(), f"postroom {purpose}".encode())
    return hkdf.derive(base64.urlsafe_b64decode(encryption_key)).hex()


class Vault:
    """Encrypts with the first key, decrypts with any key (MultiFernet). Raises Permanent for an
    invalid key, and for a token that no key decrypts."""

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
        """The decrypted tokens; a token that no key decrypts is left out."""
        found = []
        for token in tokens:
            with contextlib.suppress(Permanent):
                found.append(self.open(token))
        return found

    def rotate(self, token: str) -> str:
        """The token's secret encrypted anew with the first key. Raises Permanent."""
        try:
            return self._fernet.rotate(token).decode()
        except InvalidToken as error:
            raise Permanent("encryption_key does not open a secret of the database") from error
