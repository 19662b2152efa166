"""Secrets at rest: sealed with keys that lie outside the database."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bridge.model import Permanent


def new_key() -> str:
    """A fresh key: 32 random bytes in URL-safe base64, as Fernet wants it."""
    return Fernet.generate_key().decode()


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

    def rotate(self, token: str) -> str:
        """The same secret sealed with the first key."""
        try:
            return self._fernet.rotate(token).decode()
        except InvalidToken as error:
            raise Permanent("encryption_key does not open a secret of the database") from error
