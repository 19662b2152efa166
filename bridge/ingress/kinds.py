"""Kinds of sources, by the type of the settings section that configures them."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.config.section import Section
from bridge.config.server import Imap
from bridge.ingress import imap, imap_check
from bridge.ingress.source import SourceKind

KINDS: Mapping[type[Section], SourceKind] = {
    Imap: SourceKind(imap.Watcher, imap_check.check),
}
