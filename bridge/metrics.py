"""Metrics for Prometheus. Labels are inbox ids, kinds and results; never an address."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
"""Bucket bounds in seconds, from a job of milliseconds to a delivery deferred for hours."""

received = Counter(
    "postroom_mails_received", "Mails taken in, by what became of them: new, joined, known.",
    ("inbox", "result"), registry=REGISTRY,
)  # fmt: skip
sent = Counter(
    "postroom_mails_sent", "Attempts to send, by verdict: sent, deferred, failed, unknown.",
    ("inbox", "result"), registry=REGISTRY,
)  # fmt: skip
arrival = Histogram(
    "postroom_mail_room_seconds", "From a mail's acceptance to its place in a conversation.",
    ("inbox",), registry=REGISTRY, buckets=SLOW,
)  # fmt: skip
delivery = Histogram(
    "postroom_mail_delivery_seconds", "From the end of the undo time to the server's 250.",
    ("inbox",), registry=REGISTRY, buckets=SLOW,
)  # fmt: skip
jobs_done = Histogram(
    "postroom_job_seconds", "One try of a job, by kind and how it ended: done, waits, failed.",
    ("kind", "result"), registry=REGISTRY, buckets=SLOW,
)  # fmt: skip
reading = Histogram(
    "postroom_mail_reading_seconds", "Processor time that reading one mail took.",
    registry=REGISTRY, buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25),
)  # fmt: skip
waiting = Gauge("postroom_jobs_waiting", "Unfinished jobs.", ("kind",), registry=REGISTRY)
dead = Gauge("postroom_jobs_dead", "Jobs that failed permanently.", registry=REGISTRY)
oldest = Gauge(
    "postroom_job_oldest_seconds", "Age of the oldest job that could run.", registry=REGISTRY
)
long_statements = Counter(
    "postroom_long_statements", "Statements that held the event loop for over 5 ms.",
    registry=REGISTRY,
)  # fmt: skip
homeserver_up = Gauge(
    "postroom_homeserver_up", "1 while the homeserver answers.", registry=REGISTRY
)
part_up = Gauge(
    "postroom_part_up", "1 while a part of /health works.", ("part",),
    registry=REGISTRY,
)  # fmt: skip
imap_up = Gauge(
    "postroom_imap_up", "1 while an inbox's mailbox is checked.", ("inbox",), registry=REGISTRY
)
smtp_up = Gauge(
    "postroom_smtp_up", "1 while an inbox's outgoing server can be used, as far as is known.",
    ("inbox",), registry=REGISTRY,
)  # fmt: skip
imap_check_age = Gauge(
    "postroom_imap_checked_seconds", "Age of an inbox's last good check.", ("inbox",),
    registry=REGISTRY,
)  # fmt: skip


def set_job_gauges(counts: Mapping[str, int], oldest_age: float) -> None:
    """Set the gauges of the job table. `counts`: unfinished jobs by kind, and permanently failed
    ones under `dead`; `oldest_age`: age in seconds of the oldest job that could run."""
    waiting.clear()
    for kind, count in counts.items():
        if kind != "dead":
            waiting.labels(kind).set(count)
    dead.set(counts.get("dead", 0))
    oldest.set(oldest_age)


def set_part_gauges(parts: Mapping[str, bool]) -> None:
    """Set the gauge of each part of /health that is no inbox."""
    part_up.clear()
    for name, works in parts.items():
        part_up.labels(name).set(works)


def page() -> bytes:
    """All metrics in Prometheus's text format."""
    return generate_latest(REGISTRY)
