"""Explain a problem with a mail server or a log-in, and its fix, in at most two sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bridge.config.inbox import Inbox
from bridge.config.server import Imap, Server, Smtp
from bridge.mail import provider
from bridge.mail.charset import clean_line
from bridge.mail.provider import Provider


def came_back(address: str, folder: str, junk: bool, seconds: float) -> str:
    """Tells that a mail that the inbox sent to itself arrived, after `seconds`."""
    if junk:
        return (f"A mail to {address} came back into {folder}. Mark it there as no spam, and check"
                " the SPF and DKIM records of its domain.")  # fmt: skip
    return f"A mail to {address} came back after {max(1, round(seconds))} s"


OTHER_ID = (
    "The outgoing server gives mails Message-IDs of its own: each mail names ours in References, so"
    " that answers find their conversation"
)


def not_back(address: str, seconds: float) -> str:
    return (f"A mail to {address} left and was not in the mailbox after {seconds:.0f} s. Look for a"
            f" bounce, and whether the provider delivers {address} to this mailbox.")  # fmt: skip


def not_sent(address: str, said: str) -> str:
    return f"A mail to {address} was not taken ({said}). Allow this inbox to send to itself."


def tags(address: str, *, arrive: bool) -> str:
    """Tells whether mail to a +tag address (support+x@) arrives."""
    local, _, domain = address.partition("@")
    if arrive:
        return f"Mail to {local}+…@{domain} arrives: answers get a reply address of their own"
    return (f"Mail to {local}+…@{domain} does not arrive, so answers are known by their Message-ID"
            " alone. That works, too.")  # fmt: skip


SILENCE = "silence"
"""Stands in Trouble.said for the reply of a server that sends nothing."""


class ProblemKind(StrEnum):
    """Kinds of problems with a mail server."""

    NO_HOST = "no host"
    REFUSED = "refused"
    SILENT = "silent"
    NO_GREETING = "no greeting"
    TURNED_AWAY = "turned away"
    NOT_TLS = "not TLS"
    TLS_AT_ONCE = "TLS at once"
    NO_TLS_AGREED = "no TLS agreed"
    NO_STARTTLS = "no STARTTLS"
    WRONG_NAME = "wrong name"
    EXPIRED = "expired"
    UNTRUSTED = "untrusted"
    NO_ACCESS = "no access"
    """There are no credentials; the server was not asked."""
    LOGIN = "log-in"
    LOGIN_BROKEN = "log-in broken off"
    NO_LOGIN_HERE = "no log-in here"
    LOGIN_WANTED = "log-in wanted"
    NO_FOLDER = "no folder"
    SENDER = "sender"
    NOT_ASCII = "not ASCII"
    LATER = "later"
    BROKEN = "broken"


LASTING = frozenset({
    ProblemKind.NO_ACCESS, ProblemKind.LOGIN, ProblemKind.LOGIN_BROKEN, ProblemKind.NO_LOGIN_HERE,
    ProblemKind.LOGIN_WANTED, ProblemKind.TURNED_AWAY, ProblemKind.NOT_TLS,
    ProblemKind.TLS_AT_ONCE, ProblemKind.NO_STARTTLS, ProblemKind.WRONG_NAME, ProblemKind.EXPIRED,
    ProblemKind.UNTRUSTED,
})  # fmt: skip
"""Problems that seldom pass by themselves, so that admins are told of them at once."""
EXPIRED, UNTRUSTED = 10, (18, 19, 20, 21)
"""Codes of OpenSSL's X509_verify_cert_error."""


class Trouble(Exception):
    """A mail server cannot be used, or a step of a test failed. `said` is the server's reply,
    `facts` are values for the text."""

    def __init__(self, problem: ProblemKind, said: str, facts: tuple[str, ...] = ()) -> None:
        super().__init__(f"{problem}: {said}")
        # an IMAP server replies "NO [CODE] text."
        plain = re.sub(r"^(?:NO|BAD) (?:\[[^]]*\] ?)?", "", clean_line(said, 200)).rstrip(". ")
        self.problem, self.said, self.facts = problem, plain or said[:100], facts
        self.whole = said


def of_certificate(code: int, message: str) -> Trouble:
    """What is wrong with a certificate, by OpenSSL's code and message."""
    if code == EXPIRED:
        return Trouble(ProblemKind.EXPIRED, message)
    kind = ProblemKind.UNTRUSTED if code in UNTRUSTED else ProblemKind.WRONG_NAME
    return Trouble(kind, message)


@dataclass(frozen=True, slots=True)
class KnownRefusal:
    """A log-in refusal that providers are known to give; `pattern` matches the reply."""

    pattern: str
    text: str


# Patterns for a server's reply (case is ignored) and their explanations. {who} is the provider or
# the server, {page} the page where app passwords are made, {user} the user of the log-in.
LOGINS = (
    KnownRefusal(r"application-specific|app-specific|app password|5\.7\.9",
          "{who} wants an app password for {user}. Make one at {page} and set {key} to it."),
    KnownRefusal(r"not enabled for imap|imap access is disabled|imap is disabled|imap use",
          "IMAP is switched off for {user} at {who}. Switch it on in the mailbox's settings there"
          " and test again."),
    KnownRefusal(r"web ?browser|webalert|weblogin|less secure|bad credentials.*web",
          "{who} blocks log-ins of other programs for {user}. Allow them in the account's security"
          " settings, or make an app password at {page}."),
    KnownRefusal(r"5\.7\.139|basic authentication|smtpclientauthentication",
          "{who} has switched password log-in off for {user} ({said}). An admin can allow it in the"
          " Microsoft 365 admin center: Users, Mail, Manage email apps, Authenticated SMTP."),
    KnownRefusal(r"too many|rate|temporarily|try again later",
          "{who} refuses more log-ins of {user} for now ({said}). Wait some minutes and test"
          " again."),
)  # fmt: skip


def where(server: Server) -> str:
    """`IMAP server imap.example.com:993`."""
    return f"{_kind(server).upper()} server {server.host}:{server.at_port}"


def _kind(server: Server) -> str:
    return "imap" if isinstance(server, Imap) else "smtp"


def _provider(inbox: Inbox, server: Server) -> Provider | None:
    for address in (server.user, inbox.address):
        known = provider.of_domain(address.rpartition("@")[2])
        if known is not None:
            return known
    return provider.of_host(server.host)


def text(inbox: Inbox, server: Server, trouble: Trouble) -> str:
    """The text for an admin: the setting or server at fault, its value, and the fix."""
    match trouble.problem:
        case ProblemKind.LOGIN | ProblemKind.NO_ACCESS:
            return _login(inbox, server, trouble)
        case (
            ProblemKind.NOT_TLS
            | ProblemKind.TLS_AT_ONCE
            | ProblemKind.NO_STARTTLS
            | ProblemKind.REFUSED
        ):
            return _wrong_door(inbox, server, trouble)
        case (
            ProblemKind.WRONG_NAME
            | ProblemKind.EXPIRED
            | ProblemKind.UNTRUSTED
            | ProblemKind.NO_TLS_AGREED
        ):
            return _certificate(server, trouble)
    kind, place, said = _kind(server), f"{server.host}:{server.at_port}", trouble.said
    match trouble.problem:
        case ProblemKind.NO_HOST:
            return f"DNS knows no server {server.host}. Correct {kind}.host."
        case ProblemKind.SILENT:
            return (f"{place} gives no answer. Check {kind}.host and {kind}.port, and that no"
                    " firewall is between it and the bridge.")  # fmt: skip
        case ProblemKind.NO_GREETING if said == SILENCE:
            return (
                f"{place} takes the connection and says nothing. If that port speaks TLS, set"
                f" {kind}.tls to implicit; else correct {kind}.host and {kind}.port."
            )
        case ProblemKind.NO_GREETING:
            return (f"{place} does not greet as an {kind.upper()} server does ({said}). Check"
                    f" {kind}.host and {kind}.port.")  # fmt: skip
        case ProblemKind.TURNED_AWAY:
            return (f"{place} turns us away ({said}). Ask its operator to let this machine's"
                    " address in.")  # fmt: skip
        case ProblemKind.NO_LOGIN_HERE:
            return (f"{place} takes no log-in on a connection like this. Set {kind}.tls to"
                    f" {_usual(server)[0]} and {kind}.port to {_usual(server)[1]}.")  # fmt: skip
        case ProblemKind.LOGIN_WANTED:
            return (f"{place} wants a log-in before it sends ({said}). Set smtp.auth to password,"
                    " smtp.user and smtp.password.")  # fmt: skip
        case ProblemKind.NO_FOLDER:
            folder, there = trouble.facts
            return f"There is no folder {folder} at {place}. Set imap.folders to one of {there}."
        case ProblemKind.SENDER:
            return (f"{place} does not let {_user(server)} send as {inbox.address} ({said}). Allow"
                    " that address there, or log in as its owner.")  # fmt: skip
        case ProblemKind.NOT_ASCII:
            return (f"{place} takes no address that is not ASCII, such as {inbox.address}. Use"
                    " another address, or a server with SMTPUTF8.")  # fmt: skip
        case ProblemKind.LOGIN_BROKEN:
            return (f"{place} broke the log-in of {_user(server)} off ({said}). Test again, and ask"
                    " its operator when it stays so.")  # fmt: skip
        case ProblemKind.LATER:
            return f"{place} is not ready for us now ({said}). Wait some minutes and test again."
        case _:
            return (f"{place} broke the conversation off ({said}). Test again, and ask its operator"
                    " when it stays so.")  # fmt: skip


def _user(server: Server) -> str:
    return server.user or "us"


def _usual(server: Server) -> tuple[str, int]:
    """The TLS mode and port that most servers of this kind use."""
    return ("implicit", 993) if isinstance(server, Imap) else ("starttls", 587)


def _wrong_door(inbox: Inbox, server: Server, trouble: Trouble) -> str:
    """Explains that nothing listens at the port, or that the TLS mode does not fit the port."""
    kind, place = _kind(server), f"{server.host}:{server.at_port}"
    known = _provider(inbox, server)
    implicit, starttls = (993, 143) if kind == "imap" else (465, 587)
    if isinstance(server, Smtp) and known is not None:
        port = implicit if known.smtp_tls == "implicit" else starttls
        cure = f"{known.label} wants smtp.tls {known.smtp_tls} at smtp.port {port}."
    elif trouble.problem is ProblemKind.NOT_TLS:
        cure = f"Set {kind}.tls to starttls, or {kind}.port to {implicit}."
    elif trouble.problem is ProblemKind.TLS_AT_ONCE:
        cure = f"Set {kind}.tls to implicit, or {kind}.port to {starttls}."
    elif trouble.problem is ProblemKind.NO_STARTTLS:
        cure = f"Set {kind}.tls to implicit and {kind}.port to {implicit}."
    else:
        usual = implicit if server.tls == "implicit" else starttls
        cure = f"Correct {kind}.port; with {kind}.tls {server.tls} it is {usual} at most providers."
    what = {
        ProblemKind.NOT_TLS: f"does not speak TLS at once, as {kind}.tls implicit wants",
        ProblemKind.TLS_AT_ONCE: f"speaks TLS at once, not as {kind}.tls {server.tls} wants",
        ProblemKind.NO_STARTTLS: "offers no STARTTLS",
    }.get(trouble.problem)
    return f"{place} {what}. {cure}" if what else f"Nothing listens at {place}. {cure}"


def _certificate(server: Server, trouble: Trouble) -> str:
    kind, place = _kind(server), f"{server.host}:{server.at_port}"
    match trouble.problem:
        case ProblemKind.WRONG_NAME:
            return (f"The certificate of {place} is not made for {server.host}. Set {kind}.host to"
                    " the name the server's operator gives.")  # fmt: skip
        case ProblemKind.EXPIRED:
            return f"The certificate of {place} has expired. The server's operator must renew it."
        case ProblemKind.UNTRUSTED:
            return (f"The certificate of {place} is signed by nobody this machine trusts"
                    f" ({trouble.said}). Have a public CA sign it, or add yours to the CAs this"
                    " machine trusts.")  # fmt: skip
        case _:
            return (f"{place} and the bridge agree on no encryption ({trouble.said}). The server"
                    " needs TLS 1.2 or newer.")  # fmt: skip


def _login(inbox: Inbox, server: Server, trouble: Trouble) -> str:
    if trouble.problem is ProblemKind.NO_ACCESS:
        why = trouble.whole.replace("INBOX", inbox.id).rstrip(".")
        return f"{why[:1].upper()}{why[1:]}."
    said, kind, known = trouble.said, _kind(server), _provider(inbox, server)
    who = known.label if known else f"{server.host}"
    page = known.app_passwords if known else "the provider's security page"
    for each in LOGINS:
        if re.search(each.pattern, trouble.whole, re.IGNORECASE):
            return each.text.format(who=who, page=page, user=server.user, said=said,
                                    key=f"{kind}.password")  # fmt: skip
    if server.oauth:
        return (f"{who} refuses the log-in of {server.user} ({said}), though the access is good."
                f" {kind.upper()} has to be switched on for that mailbox; an account that opens a"
                " shared mailbox needs full access to it, and an app that logs in by itself needs"
                " Add-MailboxPermission.")  # fmt: skip
    if known is not None and not known.takes_passwords:
        return (f"{who} refuses the log-in of {server.user}: it takes no passwords of programs any"
                f" more. Log in by OAuth2: docs/oauth.md shows how, then !inbox set {inbox.id}"
                f" {kind}.oauth does it.")  # fmt: skip
    if known is not None:
        return (f"{who} refuses the log-in of {server.user}. It takes an app password, not the"
                f" account's own: make one at {page} and set {kind}.password to it.")  # fmt: skip
    return (f"{who} refuses the log-in of {server.user} ({said}). Correct {kind}.user and"
            f" {kind}.password; with two-factor log-in it takes an app password.")  # fmt: skip
