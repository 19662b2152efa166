"""Mail providers: servers, pages for app passwords, and special behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider. `smtp_tls` decides the port: implicit 465, starttls 587; IMAP is 993."""

    key: str
    label: str
    domains: tuple[str, ...]
    imap: str
    smtp: str
    smtp_tls: str
    app_passwords: str
    """URL of the page for making an app password."""
    keeps_sent: bool = False
    """Whether the provider stores sent mails in the Sent folder by itself."""
    takes_passwords: bool = True
    """Whether log-in with a password works; False if IMAP needs OAuth2."""
    oauth: str = "other"
    """The kind of its clients in `oauth` of config.yaml."""

    def settings(self) -> dict[str, Any]:
        """The keys of an inbox that the provider determines."""
        return {
            "imap": {"host": self.imap, "tls": "implicit"},
            "smtp": {"host": self.smtp, "tls": self.smtp_tls},
        }


PROVIDERS: tuple[Provider, ...] = (
    Provider("gmail", "Gmail", ("gmail.com", "googlemail.com"), "imap.gmail.com",
             "smtp.gmail.com", "implicit", "https://myaccount.google.com/apppasswords", True,
             oauth="google"),
    Provider("microsoft365", "Microsoft 365", ("onmicrosoft.com",), "outlook.office365.com",
             "smtp.office365.com", "starttls",
             "https://mysignins.microsoft.com/security-info", True, False, "microsoft"),
    Provider("outlook", "Outlook.com", ("outlook.com", "hotmail.com", "live.com", "msn.com"),
             "outlook.office365.com", "smtp-mail.outlook.com", "starttls",
             "https://account.live.com/proofs/AppPassword", True, False, "microsoft"),
    Provider("yahoo", "Yahoo", ("yahoo.com", "ymail.com", "rocketmail.com", "yahoo.de",
             "yahoo.fr", "yahoo.co.uk"), "imap.mail.yahoo.com", "smtp.mail.yahoo.com",
             "implicit", "https://login.yahoo.com/account/security"),
    Provider("aol", "AOL", ("aol.com", "aim.com"), "imap.aol.com", "smtp.aol.com", "implicit",
             "https://login.aol.com/account/security"),
    Provider("icloud", "iCloud", ("icloud.com", "me.com", "mac.com"), "imap.mail.me.com",
             "smtp.mail.me.com", "starttls", "https://account.apple.com/account/manage"),
    Provider("fastmail", "Fastmail", ("fastmail.com", "fastmail.fm"), "imap.fastmail.com",
             "smtp.fastmail.com", "implicit",
             "https://app.fastmail.com/settings/security/apps"),
)  # fmt: skip


def of_domain(domain: str) -> Provider | None:
    """The provider whose own addresses are on `domain`; None if unknown."""
    domain = domain.casefold()
    for each in PROVIDERS:
        if domain in each.domains or (
            domain.endswith(".onmicrosoft.com") and each.key == "microsoft365"
        ):
            return each
    return None


def named(name: str) -> Provider | None:
    """The provider with this key or label, ignoring white space and case; None if unknown."""
    plain = "".join(name.casefold().split())
    for each in PROVIDERS:
        if plain in (each.key, "".join(each.label.casefold().split())):
            return each
    return {"google": PROVIDERS[0], "office365": PROVIDERS[1]}.get(plain)


def of_host(host: str) -> Provider | None:
    """The provider that a mail server belongs to; None if unknown."""
    host = host.casefold()
    for each in PROVIDERS:
        if host in (each.imap, each.smtp):
            return each
    for part, key in (("google", "gmail"), ("gmail", "gmail"), ("office365", "microsoft365"),
                      ("outlook", "outlook")):  # fmt: skip
        if part in host:
            return next(each for each in PROVIDERS if each.key == key)
    return None
