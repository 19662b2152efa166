"""Protocols for storage, chat and mail servers, through which the desk uses them."""

from bridge.ports.outside import (
    Authorizer,
    Chat,
    Credentials,
    Hooks,
    Mailbox,
    NameServers,
    Prober,
    Reader,
    Sender,
)
from bridge.ports.store import Store, Tx

__all__ = [
    "Authorizer", "Chat", "Credentials", "Hooks", "Mailbox", "NameServers", "Prober", "Reader",
    "Sender", "Store", "Tx",
]  # fmt: skip
