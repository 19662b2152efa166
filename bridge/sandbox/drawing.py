"""Draws the HTML of a mail as a picture, in a process of its own with limits of time and memory.

WeasyPrint and pypdfium2 come with `pip install postroom[pictures]`, and WeasyPrint needs Pango.
"""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys

from bridge.model import Permanent, Transient
from bridge.sandbox import lockdown
from bridge.sandbox.starter import environment

BOUNDS = lockdown.Bounds(processor=30, wall=120)
WIDTH, MARGIN, SCALE = 640, 16, 1.5
"""CSS pixels of the page's width and of its margin, and pixels of the picture for each of them."""
CANNOT = 3
"""The exit code where the libraries are not installed."""
PAGE = f"<style>@page{{size:{WIDTH}px 12000px;margin:{MARGIN}px}}body{{font-family:sans-serif}}"
CAPTION = "No picture: it needs `pip install postroom[pictures]` and Pango on the bridge's machine."


async def draw(html: str) -> bytes:
    """The HTML as a PNG; what it refers to is not loaded. Raises Permanent where it cannot be
    drawn here, Transient where no process can be started."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bridge.sandbox.drawing", env=environment(), cwd="/",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        raise Transient(f"no process can be started to draw: {error}") from error
    try:
        async with asyncio.timeout(BOUNDS.wall + 30):
            picture, _ = await process.communicate(html.encode())
    except TimeoutError:
        picture = b""
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode == CANNOT:
        raise Permanent(CAPTION)
    if process.returncode or not picture:
        raise Permanent("No picture: this HTML cannot be drawn here, or takes too long.")
    return picture


def main() -> None:
    """Read HTML from standard input, and write a PNG to standard output."""
    html = sys.stdin.buffer.read().decode()
    lockdown.limit(BOUNDS)  # and no more: GLib starts threads
    try:
        import pypdfium2
        import weasyprint
    except (ImportError, OSError):  # OSError: no Pango
        sys.exit(CANNOT)
    nothing = weasyprint.urls.URLFetcher(allowed_protocols=())
    document = weasyprint.HTML(string=f"{PAGE}</style>{html}", url_fetcher=nothing)
    pdf = pypdfium2.PdfDocument(document.write_pdf(presentational_hints=True))
    page = pdf[0].render(scale=SCALE * 96 / 72).to_pil()  # a PDF counts in points
    box = page.convert("L").point(lambda value: 255 if value < 250 else 0).getbbox()
    edge = round(MARGIN * SCALE)
    page = page.crop((0, 0, page.width, min(page.height, (box[3] if box else edge) + edge)))
    stream = io.BytesIO()
    page.save(stream, "PNG")
    sys.stdout.buffer.write(stream.getvalue())


if __name__ == "__main__":
    main()
