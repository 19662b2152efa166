"""Logging: one line an event, and libraries that print mail kept quiet."""

from __future__ import annotations

import logging
import sys

import structlog


def logs(level: str) -> None:
    """Set logging up for the whole process; `level` is DEBUG, INFO, WARNING or ERROR."""
    logging.basicConfig(level=level, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for name in ("mau", "aiohttp.access", "aiosqlite", "aioimaplib", "mail.log"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(
                key_order=["timestamp", "level", "event"], drop_missing=True
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
