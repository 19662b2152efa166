"""The error tree."""

from __future__ import annotations


class BridgeError(Exception):
    """Root of every error the bridge raises on purpose; the text is for a person.

    BridgeError
      Transient     try again, for ever; never counted against a job
      Permanent     tell a human
        Refused     a person asked for what cannot be done
      LostLease     another worker owns the job now: whatever was begun is undone
    """


class Transient(BridgeError):
    """Something outside is away or busy. `retry_after` is in seconds, where the peer named one."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Permanent(BridgeError):
    """Trying again without a change will not help."""


class Refused(Permanent):
    """A person asked for something that cannot be done; the text names the thing and the cure."""


class LostLease(BridgeError):
    """This worker no longer owns the job it wants to finish."""
