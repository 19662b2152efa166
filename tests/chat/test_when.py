"""Times as people say them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.chat.when import epoch, moment, when

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 15, 30, tzinfo=BERLIN)  # a Wednesday


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2d", "2026-11-27 15:30"), ("3h", "2026-11-25 18:30"), ("90 min", "2026-11-25 17:00"),
        ("1h 30min", "2026-11-25 17:00"), ("in 2 weeks", "2026-12-09 15:30"),
        ("tomorrow", "2026-11-26 09:00"), ("Tomorrow at 14:00", "2026-11-26 14:00"),
        ("tomorrow 2pm", "2026-11-26 14:00"), ("12am", "2026-11-26 00:00"),
        ("tonight", "2026-11-25 18:00"), ("16:00", "2026-11-25 16:00"),
        ("9:00", "2026-11-26 09:00"),
        ("monday", "2026-11-30 09:00"), ("wed", "2026-12-02 09:00"),
        ("next fri 8:15", "2026-11-27 08:15"),
        ("next week", "2026-11-30 09:00"), ("2026-12-24", "2026-12-24 09:00"),
        ("24.12.2026 18:00", "2026-12-24 18:00"),
    ],
)  # fmt: skip
def test_a_time_is_meant_as_it_is_said(said: str, meant: str) -> None:
    found = when(said, NOW)
    assert found is not None
    assert f"{found:%Y-%m-%d %H:%M}" == meant
    assert found.tzinfo is BERLIN


@pytest.mark.parametrize(
    "said",
    ["", "soon", "2", "2x", "0d", "yesterday", "25:00", "9:75", "13pm", "2026-11-24", "2026-13-01",
     "2030-01-01", "500d", "9999d", "mo", "tomorrow never", "today 9:00", "in", "-2d"],
)  # fmt: skip
def test_what_is_no_time_to_come_is_refused(said: str) -> None:
    assert when(said, NOW) is None


@given(st.text(max_size=40))
def test_nothing_raises(said: str) -> None:
    found = when(said, NOW)
    assert found is None or found > NOW


def test_an_hour_stays_the_same_over_a_change_of_the_clocks() -> None:
    friday = datetime(2026, 10, 23, 12, 0, tzinfo=BERLIN)  # summer time ends on Sunday
    found = when("monday 9:00", friday)
    assert found is not None
    assert found.hour == 9
    assert found.utcoffset() != friday.utcoffset()
    night = datetime(2026, 10, 25, 1, 30, tzinfo=BERLIN)
    later = when("3h", night)
    assert later is not None
    assert later.timestamp() - night.timestamp() == 3 * 3600


def test_a_moment_is_said_as_shortly_as_it_is_plain() -> None:
    for said, shown in (
        ("16:00", "16:00"),
        ("tomorrow", "Thu 09:00"),
        ("24.12.2026", "24 Dec 09:00"),
    ):
        found = when(said, NOW)
        assert found is not None
        assert moment(found, NOW) == shown


def test_an_hour_named_in_winter_is_that_of_the_clock_in_summer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        now = datetime(2027, 3, 20, 11, tzinfo=UTC).astimezone()
        at = when("2027-03-30 9:00", now)
        assert at is not None
        assert datetime.fromtimestamp(epoch(at, None), UTC).hour == 7, "summer time has begun"
        there = when("2027-03-30 9:00", now.astimezone(BERLIN))
        assert there is not None
        assert epoch(there, BERLIN) == epoch(at, None)
    finally:
        monkeypatch.undo()
        time.tzset()
