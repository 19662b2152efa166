"""The error tree."""

from __future__ import annotations


class BridgeError(Exception):
    """Root of every error the bridge raises on purpose; the text is for a person.

    BridgeError
      Transient     retry without limit; never counted as a failure of a job
      Permanent     tell a human
        Refused     a person asked for something that cannot be done
        HomeserverError  the homeserver refused a request
      LostLease     another worker owns the job now: the transaction is rolled back
    """


class Transient(BridgeError):
    """An external service is away or busy. `retry_after`: seconds, if the peer named a delay."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Permanent(BridgeError):
    """Trying again without a change will not help."""


class Refused(Permanent):
    """A person asked for something that cannot be done; the text says what, and how to fix it."""


class HomeserverError(Permanent):
    """The homeserver refused a request; `status`: HTTP status, `code`: Matrix errcode, `reason`:
    its own words."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(f"the homeserver answered {status} {code}: {reason}")
        self.status = status
        self.code = code
        self.reason = reason or code

    def is_code(self, *codes: str) -> bool:
        """Whether the error has one of these errcodes. Servers write an unstable prefix before
        those of proposals: Synapse 1.139 and 1.140 `IO.ELEMENT.` before those of MSC4190."""
        return self.code.endswith(codes)


class LostLease(BridgeError):
    """This worker's lease expired: it no longer owns the job it wants to finish."""
