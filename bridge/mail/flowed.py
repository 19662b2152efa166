"""Join the soft line breaks of format=flowed text (RFC 3676) into paragraphs."""

from __future__ import annotations

from collections.abc import Iterator


def unfold(text: str, *, delete_space: bool = False) -> str:
    """Join each line that ends in a space with the next one of the same quote depth.

    `delete_space`: the space before the break is not part of the text (DelSp=yes).
    """
    return "\n".join(_paragraphs(text, delete_space))


def _paragraphs(text: str, delete_space: bool) -> Iterator[str]:
    open_: list[str] = []
    depth = 0
    for row in text.split("\n"):
        quotes = len(row) - len(row.lstrip(">"))
        content = row[quotes:].removeprefix(" ")  # §4.4 space-stuffing
        if open_ and (quotes != depth or content == "-- "):
            yield _joined(depth, open_)
            open_ = []
        depth = quotes
        soft = content.endswith(" ") and content != "-- "  # §4.3: the signature line is not soft
        open_.append(content[:-1] if soft and delete_space else content)
        if not soft:
            yield _joined(depth, open_)
            open_ = []
    if open_:
        yield _joined(depth, open_)


def _joined(depth: int, lines: list[str]) -> str:
    text = "".join(lines)
    if not depth:
        return text
    return f"{'>' * depth} {text}" if text else ">" * depth
