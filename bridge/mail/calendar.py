"""A calendar invitation in one line: title, time, place, people (RFC 5545, RFC 5546)."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar

from bridge.mail.charset import clean_line

MAX_SIZE = 200_000
MAX_EVENTS = 3
FOLD = re.compile(rb"[\r\n]+[ \t]")
"""The line break inside a folded line (RFC 5545 §3.1)."""
PROPERTY = re.compile(rb"[^:;]{1,40}")
ZONE = re.compile(rb":\s*VTIMEZONE\s*$", re.IGNORECASE)
FAR = 10**11
"""Seconds since 1970, in the year 5138."""
MARK = "\ue002"
MOMENTS = re.compile(f"{MARK}(\\d{{1,11}}(?::\\d{{1,11}})?){MARK}")
"""The times of an event inside its line; private-use characters stand around them."""
REPEATS = b"X-POSTROOM-REPEATS:yes"
WORDS = {
    "REQUEST": "Invitation", "PUBLISH": "Event", "CANCEL": "Cancelled", "REPLY": "Answer",
    "COUNTER": "Other time proposed", "ADD": "Invitation", "REFRESH": "Event",
    "DECLINECOUNTER": "Other time declined",
}  # fmt: skip
REPLIES = {
    "ACCEPTED": "accepts", "DECLINED": "declines", "TENTATIVE": "may come",
    "DELEGATED": "sends somebody else",
}  # fmt: skip


def lines(data: bytes) -> tuple[str, ...]:
    """One line for each of the first events of an .ics file, to be shown by `in_zone`; empty if it
    cannot be read."""
    if len(data) > MAX_SIZE:
        return ()
    try:
        calendar = Calendar.from_ical(_plain(data))
        method = str(calendar.get("METHOD", "PUBLISH")).upper()
        events = list(calendar.walk("VEVENT"))
        found = [line for event in events[:MAX_EVENTS] if (line := _guarded(event, method))]
    except Exception:  # noqa: BLE001 - icalendar raises almost anything on damaged input
        return ()
    if len(events) > MAX_EVENTS:
        found.append(f"📅 and {len(events) - MAX_EVENTS} more events")
    return tuple(found)


def _plain(data: bytes) -> bytes:
    """An .ics file without the rules of time zones and repetitions, because a parser expands them:
    658 bytes of them can take forever. RRULE becomes REPEATS; the names of time zones stay."""
    lines, skipping = [], False
    for line in FOLD.sub(b"", data).splitlines():
        name = PROPERTY.match(line)
        word = name[0].strip().upper() if name is not None else b""
        if word in (b"BEGIN", b"END") and ZONE.search(line):
            skipping = word == b"BEGIN"
        elif skipping or word in (b"EXRULE", b"RDATE", b"EXDATE"):
            continue
        else:
            lines.append(REPEATS if word == b"RRULE" else line)
    return b"\r\n".join(lines)


def _guarded(event: Any, method: str) -> str:
    """The line of one event; empty if the event is damaged."""
    try:
        return _line(event, method)
    except Exception:  # noqa: BLE001 - icalendar raises almost anything on damaged input
        return ""


def _line(event: Any, method: str) -> str:
    parts = [_text(event.get("SUMMARY")) or "(no title)", _when(event)]
    place = _text(event.get("LOCATION"))
    if place:
        parts.append(place)
    organizer = _who(event.get("ORGANIZER"))
    guests = [_who(each) for each in _list(event.get("ATTENDEE"))]
    if method == "REPLY":
        parts += [_answer(each) for each in _list(event.get("ATTENDEE"))[:3]]
    else:
        if organizer:
            parts.append(f"from {organizer}")
        if guests:
            more = f" and {len(guests) - 5} more" if len(guests) > 5 else ""
            parts.append(f"with {', '.join(guests[:5])}{more}")
    comments = [_text(each, 500) for each in _list(event.get("COMMENT"))[:3]]
    comments += [_text(getattr(each, "params", {}).get("X-RESPONSE-COMMENT"), 500)
                 for each in _list(event.get("ATTENDEE"))[:3]]  # fmt: skip
    parts += [f"“{each}”" for each in dict.fromkeys(comments) if each]
    return f"📅 {WORDS.get(method, 'Event')}: " + " · ".join(part for part in parts if part)


def _text(value: Any, limit: int = 200) -> str:
    return clean_line(str(value), limit).replace(MARK, "") if value is not None else ""


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _who(value: Any) -> str:
    if value is None:
        return ""
    address = clean_line(str(value), 200).replace(MARK, "")
    if address.lower().startswith("mailto:"):
        address = address[7:]
    name = _text(getattr(value, "params", {}).get("CN"))
    return f"{name} <{address}>" if name and name != address else address


def _answer(value: Any) -> str:
    said = str(getattr(value, "params", {}).get("PARTSTAT", "")).upper()
    return f"{_who(value)} {REPLIES.get(said, 'has not decided')}"


def _when(event: Any) -> str:
    """`Tue 24 Nov 2026 10:00–11:00 (Europe/Berlin)`, in the sender's time zone."""
    begins = _moment(event.get("DTSTART"))
    if begins is None:
        return ""
    ends = _moment(event.get("DTEND"))
    duration = getattr(event.get("DURATION"), "dt", None)
    if ends is None and isinstance(duration, timedelta):
        ends = begins + duration
    repeats = " · repeats" if event.get("X-POSTROOM-REPEATS") else ""
    if not isinstance(begins, datetime):  # whole days; the end is the day after the last one
        last = ends - timedelta(days=1) if ends is not None else begins
        until = f" – {_day(last)}" if last > begins else ""
        return f"{_day(begins)}{until}{repeats}"
    ends = ends if isinstance(ends, datetime) else None
    text = _span(begins, ends)
    zone = _text(begins.tzname() or "")[:40] if begins.tzinfo is not None else ""
    named = getattr(begins.tzinfo, "key", "") or zone or _text(_written_zone(event))[:40]
    return f"{text}{f' ({named})' if named else ''}{_moments(begins, ends)}{repeats}"


def _span(begins: datetime, ends: datetime | None) -> str:
    text = f"{_day(begins)} {begins:%H:%M}"
    if ends is None:
        return text
    same_day = ends.date() == begins.date()
    return f"{text}–{ends:%H:%M}" if same_day else f"{text} – {_day(ends)} {ends:%H:%M}"


def _moments(begins: datetime, ends: datetime | None) -> str:
    """The times of an event in epoch seconds, for `in_zone`; empty where its zone is not known."""
    if begins.tzinfo is None:
        return ""
    moments = [begins, ends] if ends is not None and ends.tzinfo is not None else [begins]
    seconds = [int(each.timestamp()) for each in moments]
    if not all(0 <= each < FAR for each in seconds):
        return ""
    return f"{MARK}{':'.join(map(str, seconds))}{MARK}"


def in_zone(line: str, zone: ZoneInfo | None) -> str:
    """A line for who lives in `zone`: with the time there as well, if it is another one."""

    def there(found: re.Match[str]) -> str:
        if zone is None:
            return ""
        begins, *ends = (datetime.fromtimestamp(int(each), zone) for each in found[1].split(":"))
        text = _span(begins, ends[0] if ends else None)
        return "" if text in found.string[: found.start()] else f" · {text} ({zone.key})"

    return MOMENTS.sub(there, line)


def _written_zone(event: Any) -> Any:
    """The sender's own name for the time zone, if it is not a standard name."""
    return getattr(event.get("DTSTART"), "params", {}).get("TZID")


def _moment(value: Any) -> Any:
    found = getattr(value, "dt", None)
    return found if isinstance(found, date) else None


def _day(day: date) -> str:
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905 - names
    return f"{names[day.weekday()]} {day.day} {months[day.month - 1]} {day.year}"
