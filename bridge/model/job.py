"""Jobs: steps to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """One step to be done. Within a lane only the oldest unfinished one runs."""

    id: int
    kind: str
    lane: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    failures: int = 0
    leases: int = 0
    worker: str = ""
