"""Texts about OAuth2 log-ins: what a provider's refusal means, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.config.oauth import OAuthClient
from bridge.model.grant import GrantRefused

LOG_IN_AGAIN = "Log in again."
BY_NUMBER: Mapping[str, str] = {
    "AADSTS50173": "the password of the account was changed. Log in again.",
    "AADSTS700082": "the access was not used for 90 days. Log in again.",
    "AADSTS700084": "the access has reached its end. Log in again.",
    "AADSTS70043": "the organisation limits how long a log-in lasts. Log in again.",
    "AADSTS50076": "the organisation now asks for a second factor. Log in again and give it.",
    "AADSTS50079": "the account has to set up a second factor. Log in again and do so.",
    "AADSTS50078": "the second factor has to be given anew. Log in again.",
    "AADSTS50055": "the password of the account is over. Set a new one, then log in again.",
    "AADSTS50057": "the account is switched off. An admin of the organisation can switch it on.",
    "AADSTS50034": "there is no such account in this tenant. Correct tenant, or the account.",
    "AADSTS53003": (
        "a conditional access policy of the organisation blocks this log-in. An admin there can"
        " exempt the app; device codes are blocked in many organisations, a log-in by link is not."
    ),
    "AADSTS65001": (
        "nobody has agreed to what the app may do. Log in again and agree, or let an admin of the"
        " organisation grant consent."
    ),
    "AADSTS90094": "an admin of the organisation has to grant consent to the app first.",
    "AADSTS700016": (
        "it knows no such app: client_id or tenant in config.yaml is of another organisation."
        " Correct it there and restart."
    ),
    "AADSTS90002": "it knows no such tenant. Correct tenant in config.yaml and restart.",
    "AADSTS7000215": (
        "client_secret in config.yaml is wrong; often the secret's id was taken in place of its"
        " value. Correct it there and restart."
    ),
    "AADSTS7000222": (
        "client_secret in config.yaml has ended. Make a new one in the Entra centre, put it there"
        " and restart."
    ),
    "AADSTS7000218": (
        "the app is no public client. In the Entra centre, under Authentication, switch on “Allow"
        " public client flows”, or give client_secret in config.yaml."
    ),
    "AADSTS50011": (
        "the redirect address is not the one of the app. Register the address that"
        " !inbox login names, in the Entra centre under Authentication."
    ),
    "AADSTS900144": "the request lacks something. Correct scopes in config.yaml.",
    "AADSTS28000": "scopes of two services were asked for at once. Correct scopes in config.yaml.",
    "AADSTS700022": "scopes of two services were asked for at once. Correct scopes in config.yaml.",
}
"""What Microsoft's codes mean (login.microsoftonline.com/error)."""
BY_ERROR: Mapping[str, str] = {
    "invalid_grant": (
        "the access was withdrawn, or has ended: after a changed password, six months without use,"
        " or by a rule of the organisation. Log in again."
    ),
    "interaction_required": "a person has to log in again.",
    "consent_required": "a person has to log in again and agree to what the app may do.",
    "login_required": "a person has to log in again.",
    "invalid_client": (
        "client_id or client_secret in config.yaml is not right, or not any more. Correct it there"
        " and restart."
    ),
    "unauthorized_client": (
        "the app may not log in this way. Look at its settings at the provider, and at flow in"
        " config.yaml."
    ),
    "access_denied": "the person said no, or may not allow it. Log in as somebody who may.",
    "authorization_declined": "the person said no. Start again if that was a mistake.",
    "expired_token": "the code was not used in time. Start again.",
    "bad_verification_code": "the code was not known any more. Start again.",
    "invalid_scope": "it does not know the scopes that were asked for. Correct scopes.",
    "org_internal": "the app is for members of its own organisation. Log in as one of them.",
    "admin_policy_enforced": (
        "the organisation's admin allows this app no mail. They can allow it under API controls."
    ),
    "redirect_uri_mismatch": (
        "the redirect address is not the one of the app. Register the address that"
        " !inbox login names."
    ),
}  # fmt: skip


def refusal(client: OAuthClient, user: str, error: GrantRefused) -> str:
    """`Google does not renew the access to support@acme.com: …` with the cure."""
    why = BY_NUMBER.get(error.number) or BY_ERROR.get(error.error)
    code = error.number or error.error
    if why is None:
        said = f" ({error.said[:200]})" if error.said else ""
        why = f"it says {error.error}{said}. Log in again, or look at the app's settings there."
        code = error.number
    return f"{client.label} gives no access to {user}: {why}{f' ({code})' if code else ''}"


def nobody_logged_in(client: OAuthClient, user: str) -> str:
    return f"nobody has logged in to {user} at {client.label} yet; !inbox login INBOX does"


def link(label: str, user: str, url: str, *, pastes: bool, redirect: str) -> str:
    """The message with the link to log in at a provider."""
    then = (
        f"Afterwards the browser shows that it cannot open a page at {redirect}: copy the whole"
        " address of that page and say it here. It is redacted at once."
        if pastes
        else "Afterwards it says that you can come back here."
    )
    return (
        f"Log in to {user} at {label} within 15 minutes:\n{url}\n{then}"
        f" The app there needs the redirect address {redirect}."
    )


def logged_in(label: str, user: str, account: str, inbox: str) -> str:
    by = f" by {account}" if account and account.casefold() != user.casefold() else ""
    return f"✅ {user} is logged in at {label}{by}. !inbox test {inbox} tries the servers with it."


def ends(client: OAuthClient, day: str) -> str:
    """Told of a grant that the provider ends soon after it was given."""
    if client.provider == "google":
        return (
            f" ⚠️ Google ends this log-in on {day}, as the app is in testing: publish it, or make"
            " it internal, at console.cloud.google.com under Audience, and log in again."
        )
    return f" ⚠️ {client.label} ends this log-in on {day}: log in again before."


def other_account(label: str, user: str, account: str) -> str:
    """The question whether the account that logged in may be used for a mailbox."""
    return (
        f"{account} logged in at {label}, and the mailbox is {user}. That is right for a shared"
        f" mailbox that {account} may open and send from; else it is the wrong account.\n"
        "!yes uses it, !no forgets this log-in. Until then, for an hour, nothing changes."
    )


def wrong_account(label: str, user: str, account: str) -> str:
    return (
        f"{account} logged in at {label}, and the mailbox is {user}: {label} lets nobody read"
        f" another's mailbox. Say !inbox login again and log in as {user}, or set imap.user to"
        f" {account}."
    )


def lacking(label: str, scopes: str) -> str:
    return (
        f"The log-in at {label} does not allow mail ({scopes} was not ticked). Say !inbox login"
        " again, and leave everything ticked."
    )


def by_itself(client: OAuthClient, user: str) -> str:
    """What has to be set up once where the client logs in by itself."""
    if client.provider == "microsoft":
        return (
            f"Nobody has to log in to {user}: the app does so by itself. Once, an Exchange admin"
            " has to let it, in PowerShell; the ObjectId is the one under Enterprise applications,"
            " not under App registrations:\n"
            f"New-ServicePrincipal -AppId {client.client_id} -ObjectId OBJECT_ID\n"
            f"Add-MailboxPermission -Identity {user} -User OBJECT_ID -AccessRights FullAccess\n"
            "The app needs the application permissions IMAP.AccessAsApp and SMTP.SendAsApp of"
            " Office 365 Exchange Online, with admin consent. Then !inbox test tries it."
        )
    if client.provider == "google":
        return (
            f"Nobody has to log in to {user}: the service account does so by itself. Once, a"
            " Workspace admin has to let it: Security, API controls, Domain-wide delegation, its"
            " client id with the scope https://mail.google.com/. Then !inbox test tries it."
        )
    return f"Nobody has to log in to {user}: the client does so by itself. !inbox test tries it."


def device(label: str, page: str, code: str, minutes: int) -> str:
    return (
        f"Open {page} within {minutes} minutes and type {code}, then log in. Many organisations"
        f" block log-ins by code at {label}; a link (!inbox login) is the better way where you"
        " have one."
    )


def ended(names: str, problem: str, reads_until: str) -> str:
    reads = f" Mail is read until {reads_until}." if reads_until else " Mail is not read."
    return f"⚠️ {names}: {problem}{reads} Nothing is sent meanwhile; what is written waits."


def good_again(names: str, user: str) -> str:
    return f"✅ {names}: {user} is logged in again."


def secret_ends(client: OAuthClient, days: int, day: str) -> str:
    """Warns of the end of a client's secret."""
    when = f"in {days} days" if days > 1 else "tomorrow" if days == 1 else "today"
    if days < 0:
        when = f"{-days} days ago" if days < -1 else "yesterday"
    return (
        f"⚠️ client_secret of oauth {client.id} in config.yaml ends {when}, on {day}. Make a new one"
        " at the provider, put it there with its own secret_ends, and restart."
    )
