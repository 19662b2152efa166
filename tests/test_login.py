"""What logs in: passwords and access tokens alike, and neither is told by an error."""

from __future__ import annotations

import base64

import pytest

from bridge.chat.diagnosis import Trouble
from bridge.config.credentials import ConfiguredCredentials
from bridge.config.redact import masked
from bridge.config.server import Imap, Server, Smtp
from bridge.imap import account
from bridge.imap.syntax import LoginRefused
from bridge.model import Permanent
from bridge.model.login import AccessToken, Login, Password
from bridge.smtp.connection import dial
from tests.servers.lines import IMAP, SMTP, serving

USER, SECRET = "support@acme.example", "geheim-1234"
TOKEN = base64.b64encode(f"user={USER}\1auth=Bearer {SECRET}\1\1".encode()).decode()
PLAIN = base64.b64encode(f"\0{USER}\0{SECRET}".encode()).decode()
LOGINS: tuple[Login, ...] = (Password(USER, SECRET), AccessToken(USER, SECRET))


class Given:
    """Credentials that are what the test says."""

    def __init__(self, login: Login | Permanent) -> None:
        self._login = login

    async def of(self, server: Server) -> Login:
        if isinstance(self._login, Permanent):
            raise self._login
        return self._login

    async def refused(self, server: Server) -> None:
        """Nothing else is known."""


def imap(port: int) -> Imap:
    return Imap(host="127.0.0.1", port=port, tls="none", user=USER, password="in the settings")


def smtp(port: int) -> Smtp:
    return Smtp(host="127.0.0.1", port=port, tls="none", user=USER, password="in the settings")


async def test_imap_lets_a_password_in_as_configured() -> None:
    async with serving(IMAP) as port:
        connection = await account.connect(imap(port), ConfiguredCredentials(), 30)
        await connection.logout()


async def test_imap_lets_an_access_token_in() -> None:
    async with serving({**IMAP, "LOGIN": "NO no passwords", "AUTHENTICATE": "OK in"}) as port:
        connection = await account.connect(imap(port), Given(AccessToken(USER, SECRET)), 30)
        await connection.logout()


async def test_smtp_lets_an_access_token_in() -> None:
    talks = {**SMTP, "EHLO": "250-here\r\n250 AUTH XOAUTH2"}
    async with serving(talks) as port:
        client = await dial(smtp(port), "acme.example", AccessToken(USER, SECRET))
        client.close()


async def test_smtp_without_log_in_asks_for_none() -> None:
    relay = Smtp(host="127.0.0.1", tls="none", auth="none")
    assert await ConfiguredCredentials().of(relay) is None
    async with serving({**SMTP, "AUTH": None}) as port:
        client = await dial(smtp(port), "acme.example", None)
        client.close()


async def test_who_has_to_act_before_a_log_in_is_told_so_as_of_a_refusal() -> None:
    ended = Permanent("The access of support@acme.example has ended: log in again.")
    with pytest.raises(LoginRefused, match="log in again"):
        await account.connect(imap(1), Given(ended), 30)


@pytest.mark.parametrize("login", LOGINS)
async def test_a_refusal_by_imap_repeats_no_secret(login: Login) -> None:
    said = f"NO [AUTHENTICATIONFAILED] what is {SECRET} or {TOKEN}?"
    async with serving({**IMAP, "LOGIN": said, "AUTHENTICATE": said}) as port:
        with pytest.raises(LoginRefused) as caught:
            await account.connect(imap(port), Given(login), 30)
    assert SECRET not in str(caught.value)
    assert "what is …" in str(caught.value)


async def test_a_password_with_quotes_is_not_repeated_either() -> None:
    login = Password(USER, 'my"sec\\ret')
    said = 'BAD unknown command: LOGIN "support" "my\\"sec\\\\ret"'
    async with serving({**IMAP, "LOGIN": said}) as port:
        with pytest.raises(LoginRefused) as caught:
            await account.connect(imap(port), Given(login), 30)
    assert 'LOGIN "support" "…"' in str(caught.value)


@pytest.mark.parametrize(("login", "coded"), [*zip(LOGINS, (PLAIN, TOKEN), strict=True)])
async def test_a_refusal_by_smtp_repeats_no_secret(login: Login, coded: str) -> None:
    talks = {
        **SMTP,
        "EHLO": "250-here\r\n250 AUTH PLAIN XOAUTH2",
        "AUTH": f"535 5.7.8 {coded} is wrong",
    }
    async with serving(talks) as port:
        with pytest.raises(Trouble, match="… is wrong") as caught:
            await dial(smtp(port), "acme.example", login)
    assert coded not in str(caught.value)


async def test_the_first_refusal_counts_where_the_server_then_hangs_up() -> None:
    talks = {
        **SMTP,
        "AUTH PLAIN": "535 5.7.8 Application-specific password required",
        "AUTH LOGIN": None,
    }
    async with serving(talks) as port:
        with pytest.raises(Trouble, match="Application-specific"):
            await dial(smtp(port), "acme.example", Password(USER, SECRET))


@pytest.mark.parametrize("login", LOGINS)
def test_no_repr_shows_a_secret(login: Login) -> None:
    assert SECRET not in repr(login)
    assert masked(f"a {SECRET} b", login) == "a … b"
