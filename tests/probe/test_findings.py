"""Every way in which a server can fail an inbox, and what the admin reads about it."""

from __future__ import annotations

import base64
import re
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge.config.credentials import ConfiguredCredentials
from bridge.config.inbox import Inbox
from bridge.config.inbox_form import build
from bridge.ingress import imap_check
from bridge.mail.token import Tokens
from bridge.model import InboxId
from bridge.model.oversight import Finding, Grade
from bridge.operate import reach
from bridge.operate.probe import Prober
from tests import golden
from tests.servers.lines import IMAP, SMTP, serving

GOLDEN = "inbox_test.txt"


def inbox(address: str = "support@acme.example", **servers: Any) -> Inbox:
    return build(InboxId("support"), {"name": "Support", "address": address, **servers}, {})


def imap(port: int, **keys: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "tls": "none", "user": "support@acme.example",
            "password": "geheim", **keys}  # fmt: skip


async def looked(about: Inbox, tokens: Tokens | None = None) -> list[Finding]:
    from bridge.imap.folders import Folders
    from bridge.smtp.sender import SmtpSender

    credentials = ConfiguredCredentials()
    prober = Prober(SmtpSender(credentials), Folders(credentials), credentials, tokens)
    return [finding async for finding in prober.test(about)]


def told(name: str, findings: list[Finding]) -> str:
    """The one finding that is not good, as golden; at most two sentences."""
    (bad,) = [finding for finding in findings if finding.grade is not Grade.GOOD]
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", bad.text)
    plain = re.sub(r"\([^()]*\)|https?://\S+|\b[\w.+-]+@[\w.-]+|\d+\.[\d.]+", "", text)
    assert len(re.findall(r"[.!?](?=\s|$)", plain)) <= 2, text
    assert "geheim" not in text
    golden.check(GOLDEN, name, f"{bad.grade} {text}")
    return text


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "PATIENCE", 1.0)
    monkeypatch.setattr(imap_check, "TIMEOUT", 2.0)


def certificate(folder: Path, name: str = "localhost", *days: str) -> ssl.SSLContext:
    """A self-signed certificate; days are openssl's, like -days 30."""
    key, pem = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", pem, "-subj", f"/CN={name}", "-addext",
         f"subjectAltName=DNS:{name}", *(days or ("-days", "30"))],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, key)
    return context


async def test_a_name_that_dns_does_not_know() -> None:
    about = inbox(imap=imap(993, host="imap.exmaple.invalid", tls="implicit"))
    told("IMAP: unknown name", await looked(about))


async def test_a_port_where_nothing_listens() -> None:
    told("IMAP: nothing listens", await looked(inbox(imap=imap(1, tls="starttls"))))


async def test_a_server_that_gives_no_answer() -> None:
    async with serving(IMAP, silent=True) as port:
        told("IMAP: silence", await looked(inbox(imap=imap(port))))
        told("IMAP: silence to TLS", await looked(inbox(imap=imap(port, tls="implicit"))))


async def test_a_port_of_another_service() -> None:
    async with serving(SMTP) as port:
        told("IMAP: an SMTP server", await looked(inbox(imap=imap(port))))
    async with serving({**IMAP, "": "HTTP/1.1 400 Bad Request"}) as port:
        told("IMAP: a web server", await looked(inbox(imap=imap(port))))
    async with serving({**IMAP, "": "* BYE too many connections"}) as port:
        told("IMAP: turned away", await looked(inbox(imap=imap(port))))


async def test_a_port_that_does_not_fit_the_tls_mode(tmp_path: Path) -> None:
    async with serving(IMAP) as port:
        told(
            "IMAP: implicit TLS at a plain port",
            await looked(inbox(imap=imap(port, tls="implicit"))),
        )
        told("IMAP: no STARTTLS", await looked(inbox(imap=imap(port, tls="starttls"))))
    async with serving(IMAP, certificate(tmp_path)) as port:
        told("IMAP: starttls at a TLS port", await looked(inbox(imap=imap(port, tls="starttls"))))


def smtp(port: int, **keys: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "tls": "none", "user": "support@acme.example",
            "password": "geheim", **keys}  # fmt: skip


async def test_office_365_wants_starttls() -> None:
    async with serving(SMTP) as port:
        user = "support@acme.onmicrosoft.com"
        about = inbox(user, smtp=smtp(port, tls="implicit", user=user))
        told("SMTP: Microsoft 365 with implicit TLS", await looked(about))


async def test_a_server_that_offers_no_starttls_for_sending() -> None:
    async with serving(SMTP) as port:
        told("SMTP: no STARTTLS", await looked(inbox(smtp=smtp(port, tls="starttls"))))


async def test_certificates(tmp_path: Path) -> None:
    async with serving(IMAP, certificate(tmp_path)) as port:
        about = inbox(imap=imap(port, host="localhost", tls="implicit"))
        text = told_at("localhost", "certificate: signed by nobody known", await looked(about))
        assert "self-signed" in text
        trusting = about.model_copy(
            update={"imap": about.imap.model_copy(update={"ca_file": tmp_path / "cert.pem"})}  # type: ignore[union-attr]  # it has one
        )
        assert all(finding.grade is Grade.GOOD for finding in await looked(trusting))
        by_number = trusting.model_copy(
            update={"imap": trusting.imap.model_copy(update={"host": "127.0.0.1"})}  # type: ignore[union-attr]  # it has one
        )
        told("certificate: another name", await looked(by_number))


async def test_a_server_of_another_age_of_tls(tmp_path: Path) -> None:
    context = certificate(tmp_path)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")  # no forward secrecy: a modern client does not offer it
    async with serving(IMAP, context) as port:
        told("no encryption in common", await looked(inbox(imap=imap(port, tls="implicit"))))


async def test_a_certificate_that_has_expired(tmp_path: Path) -> None:
    past = ("-not_before", "20200101000000Z", "-not_after", "20210101000000Z")
    try:
        context = certificate(tmp_path, "localhost", *past)
    except subprocess.CalledProcessError:
        context = expired(tmp_path)
    async with serving(IMAP, context) as port:
        keys = imap(port, host="localhost", tls="implicit")
        about = inbox(imap=keys)
        about = about.model_copy(
            update={"imap": about.imap.model_copy(update={"ca_file": tmp_path / "cert.pem"})}  # type: ignore[union-attr]  # it has one
        )
        told_at("localhost", "certificate: expired", await looked(about))


def told_at(host: str, name: str, findings: list[Finding]) -> str:
    return told(name, [
        Finding(f.grade, re.sub(rf"{host}:\d+", f"{host}:PORT", f.text)) for f in findings
    ])  # fmt: skip


def expired(folder: Path) -> ssl.SSLContext:
    """An openssl before 3.4 cannot backdate: the certificate is made with the library."""
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2021, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


LOGINS = {
    "wrong password": ("acme.example", "NO [AUTHENTICATIONFAILED] Invalid credentials"),
    "wrong password at Gmail": ("gmail.com", "NO [AUTHENTICATIONFAILED] Invalid credentials"),
    "Gmail wants an app password": (
        "gmail.com",
        "NO [ALERT] Application-specific password required: https://support.google.com/",
    ),
    "Gmail wants a browser": ("gmail.com", "NO [WEBALERT https://accounts.google.com/] Web login"),
    "IMAP switched off": ("gmail.com", "NO [ALERT] Your account is not enabled for IMAP use."),
    "wrong password at Yahoo": ("yahoo.com", "NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials"),
    "wrong password at AOL": ("aol.com", "NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials"),
    "wrong password at iCloud": ("icloud.com", "NO [AUTHENTICATIONFAILED] Authentication Failed"),
    "wrong password at Fastmail": ("fastmail.com", "NO Incorrect username, password or access"),
    "wrong password at Outlook": ("outlook.com", "NO LOGIN failed."),
    "wrong password at Microsoft 365": ("acme.onmicrosoft.com", "NO LOGIN failed."),
    "too many": ("acme.example", "NO Too many login failures, try again later"),
    "server busy": ("acme.example", "NO [UNAVAILABLE] Temporary authentication failure"),
    "the password repeated": ("acme.example", 'BAD Error in command LOGIN "support" "geheim"'),
    "only encrypted": ("acme.example", "NO [PRIVACYREQUIRED] Plaintext authentication disallowed"),
}


@pytest.mark.parametrize("name", LOGINS)
async def test_a_refused_imap_log_in(name: str) -> None:
    domain, said = LOGINS[name]
    async with serving({**IMAP, "LOGIN": said}) as port:
        user = f"support@{domain}"
        told(f"IMAP log-in: {name}", await looked(inbox(user, imap=imap(port, user=user))))


SMTP_ANSWERS: dict[str, tuple[str, Mapping[str, str | None]]] = {
    "wrong password": ("acme.example", {"AUTH": "535 5.7.8 Authentication credentials invalid"}),
    "Gmail wants an app password": (
        "gmail.com", {"AUTH": "534 5.7.9 Application-specific password required."}),
    "Microsoft switched it off": (
        "acme.onmicrosoft.com",
        {"AUTH": "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled"
                 " for the Tenant."}),
    "the password repeated": (
        "acme.example", {"AUTH": "502 unknown: AUTH PLAIN " + base64.b64encode(
            b"\0support@acme.example\0geheim").decode()}),
    "no log-in offered": ("acme.example", {"EHLO": "250-here\r\n250 SIZE 1000"}),
    "sender refused": ("acme.example", {"MAIL": "550 5.7.60 Client not permitted to send as"}),
    "server busy": ("acme.example", {"MAIL": "451 4.3.2 System not accepting messages"}),
    "log-in later": ("acme.example", {"AUTH": "454 4.7.0 Temporary authentication failure"}),
    "hangs up": ("acme.example", {"AUTH": None}),
    "turned away": ("acme.example", {"": "554 5.7.1 Your address is on a block list"}),
}  # fmt: skip


@pytest.mark.parametrize("name", SMTP_ANSWERS)
async def test_a_sending_server_that_refuses(name: str) -> None:
    domain, answers = SMTP_ANSWERS[name]
    async with serving({**SMTP, **answers}) as port:
        user = f"support@{domain}"
        told(f"SMTP: {name}", await looked(inbox(user, smtp=smtp(port, user=user))))


async def test_an_address_that_the_sending_server_cannot_write() -> None:
    async with serving(SMTP) as port:
        told("SMTP: no SMTPUTF8", await looked(inbox("süpport@acme.example", smtp=smtp(port))))
    async with serving({**SMTP, "EHLO": "250-here\r\n250-SMTPUTF8\r\n250 AUTH PLAIN"}) as port:
        found = await looked(inbox("süpport@müller.example", smtp=smtp(port)))
        assert {finding.grade for finding in found} == {Grade.GOOD}


async def test_a_relay_that_wants_a_log_in() -> None:
    async with serving({**SMTP, "MAIL": "530 5.7.0 Authentication required"}) as port:
        about = inbox(smtp=smtp(port, auth="none", user="", password=""))
        told("SMTP: a log-in is wanted", await looked(about))


async def test_a_folder_that_is_not_there_and_a_server_without_idle() -> None:
    async with serving({**IMAP, "SELECT": "NO [NONEXISTENT] no such mailbox"}) as port:
        told("IMAP: no such folder", await looked(inbox(imap=imap(port, folders=["Support"]))))
    plain = {"": "* OK [CAPABILITY IMAP4rev1] hi", "LOGIN": "OK [CAPABILITY IMAP4rev1] welcome"}
    async with serving({**IMAP, **plain}) as port:
        told("IMAP: no IDLE", await looked(inbox(imap=imap(port))))


async def test_a_connection_that_breaks_at_log_in() -> None:
    async with serving({**IMAP, "LOGIN": None}) as port:
        told("IMAP: hangs up", await looked(inbox(imap=imap(port))))


async def test_idle_is_tried_and_a_small_limit_is_told() -> None:
    async with serving({**IMAP, "IDLE": "BAD not now"}) as port:
        told("IMAP: IDLE refused", await looked(inbox(imap=imap(port))))
    async with serving({**SMTP, "EHLO": "250-here\r\n250-SIZE 100000\r\n250 AUTH PLAIN"}) as port:
        told("SMTP: a small limit", await looked(inbox(smtp=smtp(port))))


async def test_a_sending_server_that_cannot_be_reached(tmp_path: Path) -> None:
    about = inbox(smtp=smtp(587, host="smtp.exmaple.invalid", tls="starttls"))
    told("SMTP: unknown name", await looked(about))
    told("SMTP: nothing listens", await looked(inbox(smtp=smtp(1, tls="starttls"))))
    async with serving(SMTP, silent=True) as port:
        told("SMTP: silence", await looked(inbox(smtp=smtp(port))))
    async with serving(IMAP) as port:
        told("SMTP: an IMAP server", await looked(inbox(smtp=smtp(port))))
    async with serving(SMTP, certificate(tmp_path)) as port:
        told("SMTP: starttls at a TLS port", await looked(inbox(smtp=smtp(port, tls="starttls"))))
        about = inbox(smtp=smtp(port, host="localhost", tls="implicit"))
        told_at("localhost", "SMTP: certificate signed by nobody known", await looked(about))


async def test_a_certificate_that_ends_soon(tmp_path: Path) -> None:
    async with serving(IMAP, certificate(tmp_path, "localhost", "-days", "5")) as port:
        about = inbox(imap=imap(port, host="localhost", tls="implicit"))
        about = about.model_copy(
            update={"imap": about.imap.model_copy(update={"ca_file": tmp_path / "cert.pem"})}  # type: ignore[union-attr]  # it has one
        )
        found = [
            Finding(f.grade, re.sub(r"\d\d \w\w\w \d{4}", "DAY", f.text))
            for f in await looked(about)
        ]
        told_at("localhost", "certificate: ends soon", found)


async def test_what_works_is_told_step_by_step() -> None:
    async with serving(IMAP) as in_, serving(SMTP) as out:
        findings = await looked(inbox(imap=imap(in_), smtp=smtp(out)))
    text = "\n".join(f"{f.grade} {f.text}" for f in findings)
    golden.check(GOLDEN, "works", re.sub(r":\d{4,}", ":PORT", text))
