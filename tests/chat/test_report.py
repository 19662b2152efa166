"""Reports: medians and tails, tables that no spreadsheet obeys, and a picture."""

from __future__ import annotations

import csv
import io

import pytest
from PIL import Image

from bridge.chat import chart, report
from bridge.chat.chart import CAME, WENT, Day
from bridge.model import Mxid, Timing


def took(*seconds: float, tags: tuple[str, ...] = ()) -> list[Timing]:
    return [Timing(0.0, each, tags, Mxid("")) for each in seconds]


@pytest.mark.parametrize(
    ("seconds", "median", "p90"),
    [((5,), 5, 5), ((1, 3), 2, 3), ((1, 2, 3), 2, 3), (range(1, 11), 5.5, 9),
     (range(1, 101), 50.5, 90), ((-4, 8), 4, 8)],
)  # fmt: skip
def test_the_median_and_what_nine_of_ten_do_not_exceed(
    seconds: tuple[float, ...], median: float, p90: float
) -> None:
    assert report.median_and_p90(took(*seconds)) == (median, p90)
    assert report.median_and_p90([]) is None


COUNTED = report.Counted(
    "=Support", took(0, 0, tags=("vip",)) + took(0), took(0), took(60, 7200, tags=("vip",)),
    took(86400),
)  # fmt: skip


def test_the_text_tells_inboxes_and_tags() -> None:
    content = report.text("Last 7 days", [COUNTED])
    assert content["body"].split("\n") == [
        "Last 7 days",
        "=Support: 3 received · 1 answered · first answer median 60 min, p90 2 h"
        " · 1 resolved, median 24 h, p90 24 h",
        "· vip: 2 received · 0 answered · first answer median 60 min, p90 2 h",
    ]
    assert "<strong>=Support</strong>" in content["formatted_body"]


def test_the_table_has_seconds_and_no_formula() -> None:
    data = report.table([COUNTED]).decode("utf-8-sig")
    head, inbox, tag = csv.reader(io.StringIO(data))
    assert head[:4] == ["inbox", "tag", "received", "answered"]
    assert inbox == ["'=Support", "", "3", "1", "3630", "7200", "1", "86400", "86400"]
    assert tag == ["'=Support", "vip", "2", "0", "3630", "7200", "0", "", ""]


@pytest.mark.parametrize("most", [0, 1, 7, 4000])
def test_the_picture_has_bars_of_both_colours_where_there_is_something(most: int) -> None:
    days = [Day(f"{n} Nov", most, most // 2) for n in range(1, 31)]
    picture = Image.open(io.BytesIO(chart.draw("Last 30 days", days)))
    assert picture.size == (chart.WIDTH, chart.HEIGHT)
    shades = {shade for _, shade in picture.getcolors(100_000) or []}
    legend = picture.crop((0, 90, *picture.size))
    bars = {shade for _, shade in legend.getcolors(100_000) or []}
    rgb = [tuple(bytes.fromhex(each[1:])) for each in (CAME, WENT)]
    assert set(rgb) <= shades
    assert (rgb[0] in bars, rgb[1] in bars) == (most > 0, most > 1)
