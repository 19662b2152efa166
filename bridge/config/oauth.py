"""OAuth2 clients: one section per provider. Pure: knows endpoints and scopes, asks nobody."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from bridge.config.section import Section
from bridge.config.server import LOOPBACK, Secret

Flow = Literal["code", "device", "client", "service"]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of an authorization server (RFC 8414), and what it wants to be asked."""

    authorize: str
    token: str
    device: str = ""
    scopes: tuple[str, ...] = ()
    own_scopes: tuple[str, ...] = ()
    """For a client that logs in as itself."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Further parameters of the authorization request."""


_MICROSOFT = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0"
KNOWN: Mapping[str, Endpoints] = {
    "google": Endpoints(
        "https://accounts.google.com/o/oauth2/v2/auth", "https://oauth2.googleapis.com/token",
        # the one scope that IMAP and SMTP know; without a consent screen no refresh token comes
        scopes=("https://mail.google.com/", "openid", "email"),
        own_scopes=("https://mail.google.com/",),
        parameters={"access_type": "offline", "prompt": "consent"},
    ),
    "microsoft": Endpoints(
        f"{_MICROSOFT}/authorize", f"{_MICROSOFT}/token", f"{_MICROSOFT}/devicecode",
        scopes=("https://outlook.office.com/IMAP.AccessAsUser.All",
                "https://outlook.office.com/SMTP.Send", "offline_access", "openid", "profile",
                "email"),
        own_scopes=("https://outlook.office365.com/.default",),
        parameters={"prompt": "select_account"},
    ),
}  # fmt: skip
LOOPBACK_REDIRECTS = {"google": "http://127.0.0.1:29333", "microsoft": "http://localhost"}
"""Where the browser ends without public_url: nothing listens there, the admin pastes the address
back."""


class OAuthClient(Section):
    """The client that an installation has at one provider."""

    id: str = ""
    kind: Literal["", "google", "microsoft", "other"] = ""
    """Empty: as the section is named."""
    client_id: str = ""
    client_secret: Secret = SecretStr("")
    secret_ends: date | None = None
    tenant: str = Field("common", pattern=r"[A-Za-z0-9.-]{1,100}")
    flow: Flow = "code"
    """How a mailbox is logged in: a person in a browser, a person with a code on another device,
    the client by itself, or a service account by itself."""
    service_account: Secret = SecretStr("")
    """The JSON file of Google's service account."""
    issuer: str = ""
    authorize_url: str = ""
    token_url: str = ""
    device_url: str = ""
    redirect: str = ""
    scopes: tuple[str, ...] = ()

    @field_validator("issuer", "authorize_url", "token_url", "device_url", "redirect")
    @classmethod
    def _encrypted(cls, value: str) -> str:
        parts = urlsplit(value)
        loopback = parts.scheme == "http" and (parts.hostname or "") in LOOPBACK
        if value and not loopback and not (parts.scheme == "https" and parts.hostname):
            raise ValueError("write it like https://login.example.com/…")
        return value

    @model_validator(mode="after")
    def _complete(self) -> OAuthClient:
        if self.provider == "other" and not (self.issuer or self.token_url):
            raise ValueError(
                f"oauth {self.id} is neither google nor microsoft: give kind, issuer, or"
                " authorize_url and token_url"
            )
        if self.flow == "device" and self.provider == "google":
            raise ValueError("Google lets no device read mail; flow is code or service there")
        if self.flow == "service":
            self.service_key()
        elif not self.client_id:
            raise ValueError(f"oauth {self.id} needs client_id")
        if self.flow == "client":
            if self.provider == "microsoft" and self.tenant in TENANTS_OF_ALL:
                raise ValueError("flow client needs the tenant's own id or domain as tenant")
            if not self.client_secret.get_secret_value():
                raise ValueError("flow client needs client_secret")
        return self

    def service_key(self) -> Mapping[str, str]:
        """client_email, private_key and more of the service account. Raises ValueError."""
        if self.provider != "google":
            raise ValueError("flow service is for Google's service accounts only")
        try:
            found = json.loads(self.service_account.get_secret_value())
            return {name: found[name] for name in ("client_email", "private_key", "private_key_id")}
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                "service_account is not the JSON file of a service account's key;"
                " write {file: PATH}"
            ) from None

    @property
    def provider(self) -> str:
        """google, microsoft or other."""
        return self.kind or (self.id if self.id in KNOWN else "other")

    @property
    def label(self) -> str:
        """Its name for people."""
        return {"google": "Google", "microsoft": "Microsoft"}.get(self.provider, self.id)

    @property
    def asks_a_person(self) -> bool:
        """Whether a person has to log in, once, before it is of use."""
        return self.flow in ("code", "device")

    @property
    def endpoints(self) -> Endpoints | None:
        """Its endpoints, without asking; None where the issuer has to be asked."""
        known = KNOWN.get(self.provider)
        if known is None and not self.token_url:
            return None
        known = known or Endpoints("", "")
        tenant = {"tenant": self.tenant}
        return Endpoints(
            self.authorize_url or known.authorize.format(**tenant),
            self.token_url or known.token.format(**tenant),
            self.device_url or known.device.format(**tenant),
            self.scopes or known.scopes,
            self.scopes or known.own_scopes,
            known.parameters,
        )

    def with_endpoints(self, found: Mapping[str, Any]) -> OAuthClient:
        """The client with the endpoints of its issuer's metadata (RFC 8414 §3.2)."""
        return self.model_copy(update={
            "authorize_url": self.authorize_url or str(found.get("authorization_endpoint", "")),
            "token_url": self.token_url or str(found.get("token_endpoint", "")),
            "device_url": self.device_url or str(found.get("device_authorization_endpoint", "")),
        })  # fmt: skip

    def comes_back_to(self, public_url: str) -> str:
        """The redirect address: ours where browsers reach us, else one where nothing listens."""
        if self.redirect or public_url:
            return self.redirect or f"{public_url}/oauth/callback"
        return LOOPBACK_REDIRECTS.get(self.provider, "http://127.0.0.1:29333")


TENANTS_OF_ALL = ("common", "organizations", "consumers")
"""Names that stand for many tenants of Microsoft."""


def challenge(verifier: str) -> str:
    """The code challenge of a verifier (RFC 7636 §4.2, S256)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def authorize_url(
    client: OAuthClient, endpoints: Endpoints, state: str, verifier: str, redirect: str, user: str
) -> str:
    """The address at which a person logs in (RFC 6749 §4.1.1), with PKCE. `user` is filled in."""
    query = {
        "response_type": "code", "client_id": client.client_id, "redirect_uri": redirect,
        "scope": " ".join(endpoints.scopes), "state": state,
        "code_challenge": challenge(verifier), "code_challenge_method": "S256",
        **endpoints.parameters,
    }  # fmt: skip
    if client.provider != "microsoft":  # a shared mailbox is no account that can log in
        query["login_hint"] = user
    joint = "&" if "?" in endpoints.authorize else "?"
    return f"{endpoints.authorize}{joint}{urlencode(query)}"
