"""Times as people say them: `2d`, `tomorrow 9:00`, `mon 14:30`, `2026-12-01`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

UNITS = {
    "m": timedelta(minutes=1), "min": timedelta(minutes=1), "minute": timedelta(minutes=1),
    "h": timedelta(hours=1), "hour": timedelta(hours=1), "hr": timedelta(hours=1),
    "d": timedelta(days=1), "day": timedelta(days=1),
    "w": timedelta(weeks=1), "week": timedelta(weeks=1),
}  # fmt: skip
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MORNING = time(9)
"""The time meant by a day without an hour."""
EVENING = time(18)
LONGEST = timedelta(days=366)
USAGE = "Say until when, like 2d, 3h, tomorrow 9:00, monday or 2026-12-01 14:00."


def when(text: str, now: datetime) -> datetime | None:
    """The moment `text` names, in the time zone of `now`; None if it names no moment after `now`
    and within a year of it."""
    words = text.casefold().replace(",", " ").split()
    found = _span(words, now) or _day(words, now)
    if found is None or not now < found <= now + LONGEST:
        return None
    return found


def _span(words: list[str], now: datetime) -> datetime | None:
    """A moment from now: `2d`, `in 3 hours`, `1h 30min`."""
    words = words[1:] if words[:1] == ["in"] else words
    pieces = re.findall(r"(\d{1,4})\s*([a-z]+)", " ".join(words))
    if not pieces or re.sub(r"\d{1,4}\s*[a-z]+", "", " ".join(words)).strip():
        return None
    days = hours = timedelta()
    for number, name in pieces:
        unit = UNITS.get(name) or UNITS.get(name.removesuffix("s"))
        if unit is None:
            return None
        if unit < UNITS["d"]:
            hours += int(number) * unit
        else:
            days += int(number) * unit
    # days by the calendar, hours by elapsed time, even if daylight saving time changes in between
    return ((now + days).astimezone(UTC) + hours).astimezone(now.tzinfo)


def _day(words: list[str], now: datetime) -> datetime | None:
    """A day and perhaps an hour: `tomorrow`, `fri 14:00`, `next week`, `9:30`, `2026-12-01`."""
    if not words:
        return None
    hour = _hour(words[-1])
    if hour is not None:
        words = words[:-1]
        words = words[:-1] if words[-1:] == ["at"] else words
    match words:
        case []:
            day = now.date()
            if hour is not None and datetime.combine(day, hour, now.tzinfo) <= now:
                day += timedelta(days=1)
        case ["today"] | ["tonight"]:
            day, hour = now.date(), hour or EVENING
        case ["tomorrow"]:
            day = now.date() + timedelta(days=1)
        case ["next", "week"]:
            day = now.date() + timedelta(days=7 - now.weekday())
        case [word] | ["next" | "on", word]:
            named = _named_day(word, now)
            if named is None:
                return None
            day = named.date()
        case _:
            return None
    return datetime.combine(day, hour or MORNING, now.tzinfo)


def _named_day(word: str, now: datetime) -> datetime | None:
    if len(word) >= 3:
        for number, name in enumerate(DAYS):
            if name.startswith(word):
                return now + timedelta(days=(number - now.weekday() - 1) % 7 + 1)
    for form in ("%Y-%m-%d", "%d.%m.%Y"):
        try:
            return datetime.strptime(word, form).replace(tzinfo=now.tzinfo)
        except ValueError:
            continue
    return None


def _hour(word: str) -> time | None:
    match = re.fullmatch(r"(\d{1,2})(?:[:.](\d{2}))?(am|pm)?", word)
    if match is None or (match[2] is None and match[3] is None):
        return None
    hour, minute = int(match[1]), int(match[2] or 0)
    if match[3]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[3] == "pm" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


def epoch(at: datetime, zone: tzinfo | None) -> float:
    """The moment in epoch seconds. Where no zone is known, `at` has the offset that the server's
    own has today, and its hour is that of the clock on its wall then."""
    return at.timestamp() if zone is not None else at.replace(tzinfo=None).timestamp()


def moment(at: datetime, now: datetime) -> str:
    """`14:30`, `Tue 14:30` or `1 Dec 09:00`: the shortest form that is unambiguous."""
    if at.date() == now.date():
        return f"{at:%H:%M}"
    if at - now < timedelta(days=6):
        return f"{at:%a %H:%M}"
    return f"{at.day} {at:%b %H:%M}"
