"""Name servers as they are written in the settings."""

from __future__ import annotations

import pytest

from bridge.model.dns import name_server


@pytest.mark.parametrize(("spec", "found"), [
    ("192.0.2.1", ("192.0.2.1", 53)), ("192.0.2.1:5353", ("192.0.2.1", 5353)),
    ("::1", ("::1", 53)), ("[::1]", ("::1", 53)), ("[::1]:5353", ("::1", 5353)),
    ("2001:db8::53", ("2001:db8::53", 53)),
])  # fmt: skip
def test_what_a_name_server_is(spec: str, found: tuple[str, int]) -> None:
    assert name_server(spec) == found


@pytest.mark.parametrize("spec", [
    "", "dns.example", "dns.example:53", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:0",
    "192.0.2.1:70000", "[::1", "[::1]:x", "192.0.2.300",
])  # fmt: skip
def test_what_none_is(spec: str) -> None:
    with pytest.raises(ValueError, match="name server"):
        name_server(spec)
