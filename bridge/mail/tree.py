"""The MIME tree of a mail: its leaves in order, and the bytes, type and name of each leaf."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from bridge.mail import embedded, header, limits, smime, tnef, uuencode
from bridge.mail.charset import clean_line
from bridge.mail.packed import Packed
from bridge.mail.transfer import coding, decoded, encoded, payload

MAX_PARTS, MAX_DEPTH = 1000, 50
OCTETS = "application/octet-stream"
HTML = ("text/html", "application/xhtml+xml")
SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")
TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}")
EXTENSIONS = {
    "message/rfc822": ".eml", "message/global": ".eml", "text/calendar": ".ics",
    "text/plain": ".txt", "text/html": ".html", "text/vcard": ".vcf", "text/x-vcard": ".vcf",
    "text/csv": ".csv", "text/rfc822-headers": ".txt", "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt", "message/feedback-report": ".txt",
    "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp",
    "image/svg+xml": ".svg", "application/pdf": ".pdf", "application/zip": ".zip",
}  # fmt: skip
KINDS = {extension: kind for kind, extension in EXTENSIONS.items()} | {
    ".jpeg": "image/jpeg", ".eml": "message/rfc822", ".txt": "text/plain", ".vcf": "text/vcard",
}  # fmt: skip
# File names for parts of these types that have no name in the mail.
NAMES = {
    "message/delivery-status": "delivery-status", "text/rfc822-headers": "headers",
    "text/calendar": "invitation.ics", "message/disposition-notification": "receipt",
    "message/feedback-report": "complaint",
    "application/pgp-signature": "signature.asc", "application/pgp-encrypted": "version.txt",
    "application/pkcs7-signature": "smime.p7s", "application/x-pkcs7-signature": "smime.p7s",
    "application/pkcs7-mime": "smime.p7m", "application/x-pkcs7-mime": "smime.p7m",
    "application/ms-tnef": "winmail.dat", "application/pgp-keys": "key.asc",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf: a part of the tree, or a file inside a part."""

    part: Message
    packed: Packed | None = None

    @property
    def data(self) -> bytes:
        """The bytes after transfer decoding."""
        return self.packed.data if self.packed is not None else payload(self.part)


def leaves(message: Message) -> Iterator[Leaf]:
    """The leaves in order, at most 1,000. A message/rfc822 is a leaf, because it is another
    sender's mail. A part is followed by the files in it."""
    return itertools.islice(_leaves(message), MAX_PARTS)


def _leaves(message: Message) -> Iterator[Leaf]:
    for part in _walk(message):
        yield Leaf(part)
        for packed in _packed(part):
            yield Leaf(part, packed)


def _packed(part: Message) -> tuple[Packed, ...]:
    """The files inside a leaf."""
    kind = part.get_content_type()
    if kind == "text/plain":
        return uuencode.split(payload(part))[1]
    if kind in HTML:
        return embedded.split(payload(part))[1]
    if is_winmail(part):
        parcel = tnef.unpack(payload(part))
        return parcel.files if parcel is not None else ()
    return ()


def _walk(message: Message) -> Iterator[Message]:
    stack = [(message, 0)]
    while stack:
        part, depth = stack.pop()
        inner = children(part)
        if inner is None:
            yield part
        elif depth < MAX_DEPTH:
            stack += [(each, depth + 1) for each in reversed(inner)]


def children(part: Message) -> list[Message] | None:
    """The parts of a multipart, or the only one of a signature that wraps it; None for a leaf. A
    multipart without parts counts as a leaf."""
    inner = part.get_payload()
    wraps = part.get_content_maintype() == "multipart"
    if not wraps and not is_smime(part):
        return None
    if not isinstance(inner, list):
        inner = _encoded_parts(part) if wraps else _signed_part(part)
    return [each for each in inner if isinstance(each, Message)] if inner is not None else None


def _encoded_parts(part: Message) -> list[Message] | None:
    """The parts of a multipart that is transfer-encoded as a whole, which RFC 2045 §6.4 forbids."""
    encoding = coding(part)
    if not encoding:
        return None
    data = decoded(encoded(part), encoding)
    kind = header.raw_values(part, "content-type")[0].encode("utf-8", "replace")
    return _parsed_into(part, b"Content-Type: " + kind + b"\n\n" + data, is_whole=True)


def _signed_part(part: Message) -> list[Message] | None:
    """The content of an opaque S/MIME signature (RFC 8551 §3.5.2)."""
    content = smime.signed_content(payload(part))
    return _parsed_into(part, content, is_whole=False) if content is not None else None


def _parsed_into(part: Message, data: bytes, *, is_whole: bool) -> list[Message] | None:
    """Parse what was hidden in a part, and keep it there, so that it is parsed once."""
    if limits.hopeless(data):
        return None
    found = BytesParser(policy=compat32).parsebytes(data)
    inner = found.get_payload() if is_whole else [found]
    if not isinstance(inner, list):
        return None
    parts = [each for each in inner if isinstance(each, Message)]
    part.set_payload(list[Message | str](parts))
    return parts


def is_smime(part: Message) -> bool:
    """Whether a leaf is an S/MIME message of its own, signed or encrypted (RFC 8551 §3.2.1), and no
    file that somebody signed, such as invoice.xml.p7m."""
    kind, name = part.get_content_type(), file_name(part).lower()
    return (name == "smime.p7m" and kind in (*SMIME, OCTETS)) or (not name and kind in SMIME)


def is_winmail(part: Message) -> bool:
    """Whether a leaf may be a winmail.dat."""
    kind = part.get_content_type()
    return kind in ("application/ms-tnef", "application/vnd.ms-tnef") or (
        kind == OCTETS and file_name(part).lower() == "winmail.dat"
    )


def type_of(leaf: Leaf) -> str:
    """`type/subtype` of a leaf; application/octet-stream if its own type is not valid."""
    if leaf.packed is not None:
        extension = leaf.packed.name.lower().rpartition(".")[2]
        return leaf.packed.type or KINDS.get(f".{extension}", OCTETS)
    kind = leaf.part.get_content_type()
    return kind if TYPE.fullmatch(kind) else OCTETS


def name_of(leaf: Leaf, index: int) -> str:
    """The file name for a leaf: its own name, otherwise one made from its type and `index`."""
    if leaf.packed is not None:
        return clean_name(leaf.packed.name) or f"part-{index + 1}.bin"
    own = file_name(leaf.part)
    if own:
        return own
    kind = leaf.part.get_content_type()
    name, extension = NAMES.get(kind, f"part-{index + 1}"), EXTENSIONS.get(kind, "")
    return name if "." in name else f"{name}{extension or '.bin'}"


def file_name(part: Message) -> str:
    """The cleaned file name in a part's headers, or the subject of a message; empty for none."""
    name = header.parameter(part, "content-disposition", "filename")
    name = name or header.parameter(part, "content-type", "name")
    if not name and part.get_content_type() in ("message/rfc822", "message/global"):
        inner = part.get_payload()
        if isinstance(inner, list) and inner and isinstance(inner[0], Message):
            subject = header.text(inner[0], "subject", 80)
            return clean_name(f"{subject or 'message'}".replace("/", "-").replace("\\", "-")
                              + ".eml")  # fmt: skip
    return clean_name(name)


def clean_name(name: str) -> str:
    """A file name without paths, control characters and bidi marks, at most 120 characters."""
    name = clean_line(name, 500)
    name = re.split(r"[/\\]", name)[-1].strip(". ") if name else ""
    if len(name) > 120:
        stem, dot, suffix = name.rpartition(".")
        name = f"{stem[: 119 - len(suffix[:10])]}{dot}{suffix[:10]}" if dot else name[:120]
    return name
