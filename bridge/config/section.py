"""Base class and types of all parts of the configuration."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

MXID = re.compile(r"@[^:\s]+:[^\s]+")


def _mxid(value: str) -> str:
    if not isinstance(value, str) or not MXID.fullmatch(value):
        raise ValueError(f"{value!r} is not a Matrix ID; write it like @alice:example.com")
    return value


MatrixId = Annotated[str, BeforeValidator(_mxid)]


class Section(BaseModel):
    """A part of the file: frozen, and unknown keys are errors. Error messages never show the value
    given, because it may be a password."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
