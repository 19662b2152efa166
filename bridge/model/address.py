"""Addresses of mailboxes, and the one form in which they are compared."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import idna


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of RFC 5322 §3.4: written in its original form, compared by `key`."""

    spec: str
    name: str = ""

    @property
    def key(self) -> str:
        return key_of(self.spec)

    @property
    def untagged(self) -> str:
        """The key without a +tag: mail to support+x@ is mail to support@."""
        local, at, domain = self.key.rpartition("@")
        return local.partition("+")[0] + at + domain

    def is_of(self, own: frozenset[str]) -> bool:
        """Whether this is one of the addresses `own`, case-folded, or a +tag of one."""
        return self.key in own or self.untagged in own

    @property
    def domain(self) -> str:
        return self.key.rpartition("@")[2]

    def __str__(self) -> str:
        return f"{self.name} <{self.spec}>" if self.name else self.spec


def key_of(spec: str) -> str:
    """The form in which an address is compared: case-folded, the domain in ASCII (RFC 5890) and
    without a dot at its end, so that `Carla@Müller.example.` is `carla@xn--mller-kva.example`."""
    if spec.isascii():
        return spec.lower().rstrip(".")
    local, at, domain = spec.rpartition("@")
    return f"{unicodedata.normalize('NFC', local).casefold()}{at}{ascii_domain(domain)}"


def ascii_domain(domain: str) -> str:
    """A domain in ASCII, as DNS knows it, in lower case; one that has no such form as it is."""
    plain = domain.lower().rstrip(".")
    if plain.isascii() or len(plain) > 255:
        return plain
    try:
        return idna.encode(plain, uts46=True).decode().rstrip(".")
    except idna.IDNAError:
        return plain


def forms_of(spec: str) -> tuple[str, str]:
    """The two forms in which lower case of an address may be stored: with its domain in ASCII, and
    in Unicode."""
    key = key_of(spec)
    local, at, domain = key.rpartition("@")
    try:
        return key, f"{local}{at}{idna.decode(domain)}"
    except idna.IDNAError:
        return key, key
