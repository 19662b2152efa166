"""The MIME tree of a mail: its leaves in order, and the bytes, type and name of each leaf."""

from __future__ import annotations

import base64
import binascii
import itertools
import quopri
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message

from bridge.mail import header, tnef
from bridge.mail.charset import clean_line

MAX_PARTS, MAX_DEPTH = 1000, 50
ENCODED: Mapping[str, Callable[[bytes], bytes]] = {
    "base64": base64.b64decode,
    "quoted-printable": quopri.decodestring,
}
OCTETS = "application/octet-stream"
TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}")
EXTENSIONS = {
    "message/rfc822": ".eml", "message/global": ".eml", "text/calendar": ".ics",
    "text/plain": ".txt", "text/html": ".html", "text/vcard": ".vcf", "text/x-vcard": ".vcf",
    "text/csv": ".csv", "text/rfc822-headers": ".txt", "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt", "message/feedback-report": ".txt",
    "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp",
    "image/svg+xml": ".svg", "application/pdf": ".pdf", "application/zip": ".zip",
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
    """One leaf: a part of the tree, or a file inside a winmail.dat part."""

    part: Message
    packed: tnef.Packed | None = None

    @property
    def data(self) -> bytes:
        """The bytes after transfer decoding."""
        return self.packed.data if self.packed is not None else payload(self.part)


def leaves(message: Message) -> Iterator[Leaf]:
    """The leaves in order, at most 1,000. A message/rfc822 is a leaf, because it is another
    sender's mail. A winmail.dat is followed by the files in it."""
    return itertools.islice(_leaves(message), MAX_PARTS)


def _leaves(message: Message) -> Iterator[Leaf]:
    for part in _walk(message):
        yield Leaf(part)
        if is_winmail(part):
            parcel = tnef.unpack(payload(part))
            for packed in parcel.files if parcel is not None else ():
                yield Leaf(part, packed)


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
    """The parts of a multipart; None for a leaf. A multipart without parts counts as a leaf."""
    inner = part.get_payload()
    if part.get_content_maintype() != "multipart" or not isinstance(inner, list):
        return None
    return [each for each in inner if isinstance(each, Message)]


def is_winmail(part: Message) -> bool:
    """Whether a leaf may be a winmail.dat."""
    kind = part.get_content_type()
    return kind in ("application/ms-tnef", "application/vnd.ms-tnef") or (
        kind == OCTETS and file_name(part).lower() == "winmail.dat"
    )


def payload(part: Message) -> bytes:
    """The bytes of a leaf after transfer decoding; unchanged if they cannot be decoded."""
    inner = part.get_payload()
    if isinstance(inner, list):
        return _enclosed(part, [each for each in inner if isinstance(each, Message)])
    try:
        data = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        data = str(inner).encode("ascii", "surrogateescape")
    return data if isinstance(data, bytes) else b""


def _enclosed(part: Message, inner: list[Message]) -> bytes:
    """The bytes of a message in a message. Some servers encode it, which RFC 2046 §5.2.1 forbids;
    the email package then reads the encoded text as its headers."""
    between = b"\n" if part.get_content_type() == "message/delivery-status" else b""
    data = between.join(_flat(each) for each in inner)
    encoding = header.text(part, "content-transfer-encoding", 40).lower()
    try:
        return ENCODED[encoding](data) if encoding in ENCODED else data
    except (binascii.Error, ValueError):
        return data


def _flat(message: Message) -> bytes:
    try:
        return message.as_bytes()
    except Exception:  # noqa: BLE001 - the generator raises almost anything on odd headers
        lines = [f"{name}: {value}" for name, value in message.items()]
        text = "\n".join((*lines, "", str(message.get_payload())))
        return text.encode("utf-8", "surrogateescape")


def type_of(leaf: Leaf) -> str:
    """`type/subtype` of a leaf; application/octet-stream if its own type is not valid."""
    kind = OCTETS if leaf.packed is not None else leaf.part.get_content_type()
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
