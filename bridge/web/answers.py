"""HTTP answers that pages for browsers share: headers, and a page that says one thing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from aiohttp import web

from bridge.mail import page

COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "X-DNS-Prefetch-Control": "off",
    "Cross-Origin-Resource-Policy": "same-site",
}


def html(text: str, policy: str) -> web.Response:
    """A page under a content security policy."""
    headers = {**COMMON, "Content-Security-Policy": policy}
    return web.Response(text=text, content_type="text/html", headers=headers)


def refused(kind: type[web.HTTPException], text: str) -> web.HTTPException:
    """An error whose page says why."""
    nonce = secrets.token_urlsafe(16)
    headers: Mapping[str, str] = {
        **COMMON, "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}'"
    }  # fmt: skip
    return kind(text=page.notice("Nothing to see here", text, nonce), content_type="text/html",
                headers=headers)  # fmt: skip
