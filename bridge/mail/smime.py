"""The content of a mail that is signed by S/MIME in one piece (RFC 8551 §3.5.2)."""

from __future__ import annotations

from asn1crypto import cms


def signed_content(data: bytes) -> bytes | None:
    """The bytes that a CMS SignedData holds (RFC 5652 §5), whose signature is not checked; None if
    it is not one, is damaged, or is encrypted."""
    try:
        info = cms.ContentInfo.load(data)
        if info["content_type"].native != "signed_data":
            return None
        content = info["content"]["encap_content_info"]["content"]
        found = content.native if content is not None else None
    except Exception:  # noqa: BLE001 - asn1crypto raises almost anything on damaged input
        return None
    return found if isinstance(found, bytes) and found else None
