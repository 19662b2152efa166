"""Sets up logging: one line for each event; silences libraries that print the text of mails."""

from __future__ import annotations

import logging
import sys

import structlog


def logs(level: str, form: str = "text") -> None:
    """Set up logging for the whole process; `level`: DEBUG, INFO, WARNING or ERROR, `form`: text or
    json. Lines have the job, its kind and the conversation's number; the text of mails and
    secrets are never logged."""
    last = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.KeyValueRenderer(
            key_order=["timestamp", "level", "event"], drop_missing=True
        )
    )
    logging.basicConfig(level=level, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for name in ("mau", "aiohttp.access", "aiosqlite", "aioimaplib", "mail.log"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("tnefparse", "flufl.bounce", "icalendar"):  # they log parts of mails
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
