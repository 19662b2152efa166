"""Invitations: one line each, and none of them expands anything."""

from __future__ import annotations

import time
from zoneinfo import ZoneInfo

import pytest

from bridge.mail.calendar import in_zone, lines

ZONE = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=SECONDLY
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700101T000000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=SECONDLY
END:DAYLIGHT
END:VTIMEZONE
"""
EVENT = """BEGIN:VEVENT
SUMMARY:Repair
DTSTART;TZID={name}:20261124T100000
DTEND;TZID={name}:20261124T110000
RRULE:FREQ=SECONDLY
RDATE:20260101T000000Z
END:VEVENT
"""


def calendar(name: str, zone: str = ZONE) -> bytes:
    text = f"BEGIN:VCALENDAR\nMETHOD:REQUEST\n{zone}{EVENT}END:VCALENDAR\n"
    return text.replace("{name}", name).replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Europe/Berlin", "Europe/Berlin"), ("W. Europe Standard Time", "Europe/Berlin"),
     ("Evil/Zone", "Evil/Zone"), ("../../etc/passwd", "../../etc/passwd")],
)  # fmt: skip
def test_a_zone_is_known_by_its_name_and_none_of_its_rules_is_expanded(
    name: str, shown: str
) -> None:
    began = time.process_time()
    (line,) = lines(calendar(name))
    told = f"📅 Invitation: Repair · Tue 24 Nov 2026 10:00–11:00 ({shown}) · repeats"
    assert in_zone(line, None) == told
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("name", "zone", "shown"),
    [("W. Europe Standard Time", "America/New_York",
      "10:00–11:00 (Europe/Berlin) · Tue 24 Nov 2026 04:00–05:00 (America/New_York) · repeats"),
     ("Europe/Berlin", "Australia/Sydney",
      "10:00–11:00 (Europe/Berlin) · Tue 24 Nov 2026 20:00–21:00 (Australia/Sydney) · repeats"),
     ("Europe/Berlin", "Pacific/Kiritimati",
      "10:00–11:00 (Europe/Berlin) · Tue 24 Nov 2026 23:00 – Wed 25 Nov 2026 00:00"
      " (Pacific/Kiritimati) · repeats"),
     ("Europe/Berlin", "Europe/Paris", "10:00–11:00 (Europe/Berlin) · repeats"),
     ("Our own zone", "America/New_York", "10:00–11:00 (Our own zone) · repeats")],
)  # fmt: skip
def test_the_time_is_said_in_the_zone_of_the_inbox_too(name: str, zone: str, shown: str) -> None:
    (line,) = lines(calendar(name))
    assert in_zone(line, ZoneInfo(zone)).endswith(f"Tue 24 Nov 2026 {shown}")


def test_a_mail_cannot_write_times_of_its_own_into_the_line() -> None:
    forged = "SUMMARY:a\ue0021:2\ue002b".encode()
    raw = calendar("Europe/Berlin").replace(b"SUMMARY:Repair", forged)
    (line,) = lines(raw)
    assert in_zone(line, ZoneInfo("America/New_York")).count("New_York") == 1
    assert "\ue002" not in in_zone(line, None)


@pytest.mark.parametrize("year", ["0001", "1960", "9999"])
def test_times_far_away_are_shown_as_they_are(year: str) -> None:
    raw = calendar("Europe/Berlin").replace(b"2026", year.encode())
    assert all("\ue002" not in in_zone(line, ZoneInfo("Asia/Tokyo")) for line in lines(raw))


@pytest.mark.parametrize(
    "hidden",
    ["BEGIN:VTIME\r\n ZONE", "BEGIN:VTIME\r ZONE", "begin:vtimezone", "BEGIN;X=1:VTIMEZONE",
     "BEGIN:VTIME\n\n ZONE", "BEGIN:VTIMEZONE "],
)  # fmt: skip
def test_T47_a_zone_that_hides_is_not_expanded_either(hidden: str) -> None:
    began = time.process_time()
    zone = ZONE.replace("BEGIN:VTIMEZONE", hidden)
    found = lines(calendar("Evil/Zone", zone))
    assert all("Repair" in line for line in found)
    assert time.process_time() - began < 1
