"""The interfaces of the desk: what it needs of storage, chat and mail servers, as Protocols."""

from bridge.ports.outside import Chat, Credentials, Hooks, Mailbox, Prober, Reader, Sender
from bridge.ports.store import Store, Tx

__all__ = [
    "Chat", "Credentials", "Hooks", "Mailbox", "Prober", "Reader", "Sender", "Store", "Tx",
]  # fmt: skip
