"""Mail out over TLS: verified certificates, and no password for a server we do not know."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from bridge.chat.diagnosis import ProblemKind, Trouble
from bridge.config.credentials import ConfiguredCredentials
from bridge.config.inbox import Inbox
from bridge.config.server import Smtp
from bridge.model import InboxId, RecipientStatus
from bridge.smtp.sender import SmtpSender
from tests.servers.dovecot import make_certs
from tests.servers.smtp import Fault, ScriptedSmtp

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
MIME = b"Subject: x\r\n\r\n.dot\r\n..dots\r\n"


async def send(server: ScriptedSmtp, **smtp: object) -> tuple[RecipientStatus, str]:
    settings = Smtp(
        host="127.0.0.1", port=server.port, user="u", password=SecretStr("secret"),
        **smtp,
    )  # fmt: skip
    inbox = Inbox(id=InboxId("s"), name="S", address="s@acme.example", smtp=settings)
    begun: list[int] = []

    async def data_begun() -> None:
        begun.append(1)

    sender = SmtpSender(ConfiguredCredentials())
    statuses = await sender.send(inbox, inbox.address, ["c@x.example"], MIME, data_begun)
    assert len(begun) == len(server.accepted())
    return statuses["c@x.example"]


async def test_T45_a_known_certificate_is_needed_before_the_password_goes_out(
    tmp_path: Path,
) -> None:
    make_certs(str(tmp_path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    server = ScriptedSmtp(tmp_path / "accepted.jsonl", password="secret", tls=context)
    await server.start()
    try:
        with pytest.raises(Trouble) as caught:
            await send(server, tls="implicit")
        assert caught.value.problem is ProblemKind.UNTRUSTED
        status, _ = await send(server, tls="implicit", ca_file=tmp_path / "ca.pem")
        assert status is RecipientStatus.SENT
        assert server.accepted()[0]["raw"] == MIME
    finally:
        await server.stop()


async def test_T45_a_server_without_starttls_gets_no_password(tmp_path: Path) -> None:
    server = ScriptedSmtp(tmp_path / "accepted.jsonl", password="secret")
    await server.start()
    try:
        with pytest.raises(Trouble) as caught:
            await send(server, tls="starttls")
        assert caught.value.problem is ProblemKind.NO_STARTTLS
    finally:
        await server.stop()


async def test_a_wrong_password_is_told_in_the_servers_words(tmp_path: Path) -> None:
    server = ScriptedSmtp(tmp_path / "accepted.jsonl", password="other")
    await server.start()
    try:
        with pytest.raises(Trouble) as caught:
            await send(server, tls="none")
        assert caught.value.problem is ProblemKind.LOGIN
        assert caught.value.said == "535 5.7.8 wrong password"
    finally:
        await server.stop()


@pytest.mark.parametrize("point", ["rcpt", "after", "mail"])
async def test_an_answer_in_any_charset_is_kept_as_text(tmp_path: Path, point: str) -> None:
    server = ScriptedSmtp(tmp_path / "accepted.jsonl", password="secret")
    await server.start()
    try:
        code = b"250" if point == "after" else b"550"
        server.script = [Fault(point, code + b" 2.0.0 f\xfcr den Empf\xe4nger \x00")]
        status, reply = await send(server, tls="none")
        assert status is (RecipientStatus.SENT if point == "after" else RecipientStatus.FAILED)
        assert "Empfänger" in reply.encode().decode()
        assert "\0" not in reply
    finally:
        await server.stop()
