"""The size of a picture is read from its first bytes."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from bridge.mail import dimensions


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}), ("GIF", {}), ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": b"x" * 99}),
        ("WEBP", {}), ("WEBP", {"lossless": True}), ("WEBP", {"exif": b"Exif\0\0" + b"x" * 50}),
    ],
)  # fmt: skip
def test_a_picture_of_each_form(form: str, options: dict[str, object]) -> None:
    file = io.BytesIO()
    Image.new("RGB", (321, 123), "red").save(file, form, **options)
    data = file.getvalue()
    assert dimensions.of(data) == (321, 123)
    chance = random.Random(7)
    for _ in range(300):
        broken = bytearray(data[: chance.randrange(len(data))])
        if broken:
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        found = dimensions.of(bytes(broken))
        assert found is None or all(side > 0 for side in found)


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a", b"\xff\xd8" + b"\xff" * 5_000_000, b"\xff\xd8\xff\xe0\0\0" * 9, b"<svg/>",
     b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\xff" * 8],
)  # fmt: skip
def test_what_says_no_size_has_none(data: bytes) -> None:
    assert dimensions.of(data) is None
