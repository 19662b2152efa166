"""`!domain`: what DNS says of a domain's mail, the line to put in, and what its inboxes share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.config import shared
from bridge.config.vault import Vault, new_key
from bridge.desk import addresses
from bridge.desk.directory import touch
from bridge.model import InboxId
from tests.servers.dns import DnsServer
from tests.servers.matrix_state import Room
from tests.stage import ADMIN, ALICE, PASSWORD, SUPPORT, Stage, mail, until
from tests.stories.desk import ask, control_room

GOOD, BROKEN, MISSING = "good.example", "broken.example", "missing.example"


@pytest.fixture
def names(names: DnsServer) -> DnsServer:
    """A name server with good and bad records."""
    names.records = {
        (GOOD, "MX"): ["20 b.mx.good.example.", "10 a.mx.good.example."],
        (GOOD, "TXT"): ["other", "v=spf1 include:_spf.google.com include:x.example -all"],
        ("_spf.google.com", "TXT"): ["v=spf1 include:a.example include:b.example ~all"],
        ("a.example", "TXT"): ["v=spf1 ip4:192.0.2.0/24 ~all"],
        ("_dmarc.good.example", "TXT"): ["v=DMARC1; p=reject; rua=mailto:d@good.example"],
        ("google._domainkey.good.example", "TXT"): ["v=DKIM1; k=rsa; p=" + "A" * 400],
        (BROKEN, "TXT"): ["v=spf1 mx ~all", "v=spf1 a ~all"],
        ("_dmarc.broken.example", "TXT"): ["v=DMARC1; p=none", "v=DMARC1; p=reject"],
        ("odd._domainkey.broken.example", "TXT"): ["v=DKIM1; p=A"],
        ("many.example", "TXT"): ["v=spf1 " + "a mx ptr " * 4 + "-all"],
        ("open.example", "TXT"): ["v=spf1 +all"],
        ("many.example", "MX"): ["0 ."],
        (MISSING, "MX"): ["10 mx.missing.example."],
    }
    return names


async def shown(stage: Stage, names: DnsServer, domain: str, **inbox: object) -> list[str]:
    """The lines of the answer, one for each kind of record."""
    config = stage.config(**inbox)
    config["name_servers"] = [names.address]
    await stage.open(config)
    control = await control_room(stage)
    said = await ask(stage, control, f"!domain show {domain}")
    return said.splitlines()[1:]


async def test_a_domain_in_order_is_shown_as_it_is(stage: Stage, names: DnsServer) -> None:
    mx, spf, dmarc, dkim = await shown(stage, names, "Good.Example")
    assert mx.startswith("✅ MX: mail to good.example goes to")
    assert "a.mx.good.example" in mx
    assert spf.startswith("✅ SPF: “v=spf1 include:_spf.google.com")
    assert spf.endswith("4 look-ups")
    assert dmarc.startswith("✅ DMARC: policy reject, “v=DMARC1")
    assert dkim == "✅ DKIM: keys seen: google"


async def test_a_domain_below_another_has_its_policy(stage: Stage, names: DnsServer) -> None:
    _, _, dmarc, _ = await shown(stage, names, f"eu.{GOOD}")
    assert dmarc.startswith("✅ DMARC: policy reject (of good.example)")


async def test_what_is_broken_is_said_with_its_cure(stage: Stage, names: DnsServer) -> None:
    mx, spf, dmarc, dkim = await shown(stage, names, BROKEN)
    assert mx.startswith("⚠️ MX: not seen. Put in: broken.example. MX 10")
    assert spf.startswith("❌ SPF: 2 records, so none counts. Make one of them: v=spf1 a ~all | ")
    assert dmarc.startswith("❌ DMARC: 2 records")
    assert "There are keys under names that we do not know." in dkim


@pytest.mark.parametrize(("domain", "said"), [
    ("many.example", "❌ SPF: “v=spf1 a mx ptr"), ("many.example", "12 look-ups"),
    ("open.example", "lets everybody send. End it with ~all."),
    ("many.example", "takes no mail (null MX"), ("nowhere.example", "❌ MX: DNS knows no domain"),
])  # fmt: skip
async def test_records_that_do_harm_are_told(
    stage: Stage, names: DnsServer, domain: str, said: str
) -> None:
    assert said in "\n".join(await shown(stage, names, domain))


async def test_the_line_to_put_in_names_the_outgoing_server(stage: Stage, names: DnsServer) -> None:
    smtp = {"host": "smtp.gmail.com", "user": "x", "password": "x"}
    _, spf, dmarc, dkim = await shown(
        stage, names, MISSING, address=f"support@{MISSING}", smtp=smtp
    )
    assert 'Put in: missing.example. TXT "v=spf1 include:_spf.google.com ~all"' in spf
    assert '_dmarc.missing.example. TXT "v=DMARC1; p=none;' in dmarc
    assert dkim.startswith("⚠️ DKIM: not seen under the usual names. Switch it on")


async def test_name_servers_that_are_silent_are_told_of(stage: Stage, names: DnsServer) -> None:
    names.is_silent = True
    mx, spf, *_ = await shown(stage, names, GOOD)
    assert mx == "⚠️ MX: the name servers of good.example do not answer"
    assert spf == "⚠️ SPF: the name servers of good.example do not answer"


async def test_the_domains_of_all_inboxes_are_listed(stage: Stage) -> None:
    config = stage.config(aliases=["help@münchen.example", "info@acme.example"])
    await stage.open(config)
    control = await control_room(stage)
    said = await ask(stage, control, "!domain list")
    assert "acme.example: support@acme.example, info@acme.example" in said
    assert "xn--mnchen-3ya.example: help@münchen.example" in said
    await ask(stage, control, "!domain show not a domain", "Say which, like")


async def added(stage: Stage, names: DnsServer) -> Room:
    """The control room of a bridge without an inbox, with a domain added by chat."""
    config = stage.config() | {"inboxes": {}, "name_servers": [names.address]}
    servers = stage.config()["inboxes"]["support"]
    await stage.open(config)
    control = await control_room(stage)
    said = await ask(stage, control, "!domain add Acme.Example")
    assert said.startswith("acme.example is added. !domain set acme.example imap.host")
    assert "❌ MX: DNS knows no domain acme.example" in said
    for server in ("imap", "smtp"):
        for key, value in servers[server].items():
            if key not in ("user", "password"):
                await ask(stage, control, f"!domain set acme.example {server}.{key} {value}")
    return control


async def test_several_addresses_share_what_is_set_for_their_domain(
    stage: Stage, names: DnsServer
) -> None:
    control = await added(stage, names)
    await ask(stage, control, "!template set acme.example footer\nAcme GmbH, Berlin")
    await ask(stage, control, f"!inbox add {SUPPORT}", f"What is the password of {SUPPORT} at")
    await ask(stage, control, PASSWORD, "Who answers this mail?")
    await ask(stage, control, ALICE, "is complete")
    await ask(stage, control, "!inbox set support undo 0")
    await ask(stage, control, "!inbox publish support", "is live")
    shown = await ask(stage, control, "!inbox show support", "what !domain show acme.example says")
    assert "imap.host" not in shown, "it is the domain's"
    await ask(stage, control, "!template show support", "(of acme.example): Acme GmbH, Berlin")
    await stage.queue(ALICE)
    await stage.mail(mail())
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    assert sent.get_body(("plain",)).get_content().rstrip().endswith("Acme GmbH, Berlin")  # type: ignore[union-attr]  # it has a text
    said = await ask(stage, control, "!template set acme.example footer\nAcme SE")
    assert said == "The footer of acme.example is set. It holds for support at once."
    await ask(stage, control, "!template set support footer\nOnly ours")
    stage.hs.say(ALICE, room.id, "!reply Again")
    assert "Only ours" in str((await stage.sent(2))[1])
    await ask(stage, control, "!inbox add sales@acme.example", "What is the password of sales@")
    listed = await ask(stage, control, "!domain list")
    assert listed == f"acme.example: {SUPPORT} (with settings of its own)"


async def test_a_change_of_the_domain_holds_at_once_or_is_refused(
    stage: Stage, names: DnsServer
) -> None:
    control = await added(stage, names)
    for said in (f"!inbox add {SUPPORT}", PASSWORD, ALICE, "!inbox publish support"):
        await ask(stage, control, said)
    said = await ask(stage, control, "!domain set acme.example sender_name {agent}")
    assert said.endswith("It holds for support at once.")
    for key, value, why in (
        ("smtp.port", "70000", "smtp.port: '70000' does not fit"),
        ("imap.tls", "sometimes", "imap.tls"), ("imap.hots", "x", "did you mean imap.host?"),
        ("address", "x@y.example", "address is of one address"),
        ("imap.oauth", "google", "config.yaml has no client google"),
        ("imap.host", "-", "That does not fit support: imap.host is missing"),
    ):  # fmt: skip
        answer = await ask(stage, control, f"!domain set acme.example {key} {value}", why)
        assert "Nothing was changed" in answer or key == "imap.oauth"
    await ask(stage, control, "!domain show acme.example", "\nimap.host: 127.0.0.1\n")


async def test_a_domain_is_removed_only_when_no_inbox_has_an_address_there(
    stage: Stage, names: DnsServer
) -> None:
    control = await added(stage, names)
    for said in (f"!inbox add {SUPPORT}", "!cancel", "!inbox add sales@acme.example", "!cancel"):
        await ask(stage, control, said)
    said = await ask(stage, control, "!domain remove acme.example", "is not removed")
    assert f"{SUPPORT} (inbox support)" in said
    assert "sales@acme.example (inbox sales)" in said
    for inbox in ("support", "sales"):
        await ask(stage, control, f"!inbox remove {inbox}")
        await ask(stage, control, "!yes")
    await ask(stage, control, "!domain remove acme.example", "acme.example is removed")
    await ask(stage, control, "!domain remove acme.example", "was not added yet")
    await ask(stage, control, "!domain set acme.example footer x", "was not added yet")


async def test_a_password_of_a_domain_is_sealed_and_redacted(
    stage: Stage, names: DnsServer
) -> None:
    control = await added(stage, names)
    stage.hs.say(ADMIN, control.id, "!domain set acme.example imap.password s3cret-canary")
    await stage.sees(control, "Kept encrypted")
    events = control.events
    await until(lambda: "s3cret" not in str([e["content"] for e in events]), "the redaction")
    await stage.quiet()
    async with stage.app.desk.store.reading() as tx:
        (kept,) = await tx.domains.all()
    assert kept.secrets["imap.password"]
    assert "s3cret-canary" not in str(kept)
    await ask(stage, control, f"!inbox add {SUPPORT}", "Who answers this mail?")


async def test_what_is_reset_is_the_domains_again_and_switches_nothing_off(
    stage: Stage, names: DnsServer
) -> None:
    control = await added(stage, names)
    for said in (f"!inbox add {SUPPORT}", PASSWORD, ALICE, "!inbox publish support"):
        await ask(stage, control, said)
    for key in ("imap.poll", "smtp.port"):
        await ask(stage, control, f"!inbox set support {key} -", "has its default again")
    inbox = stage.app.desk.settings.inboxes[InboxId("support")]
    assert inbox.imap is not None
    assert inbox.smtp is not None
    assert inbox.imap.port == stage.imap.port
    assert await addresses.owner(stage.app.desk, SUPPORT) is None, "its mail comes by IMAP"


async def test_no_server_gets_the_password_of_another(stage: Stage, names: DnsServer) -> None:
    control = await added(stage, names)
    for key, value in (("smtp.auth", "password"), ("smtp.user", "relay"), ("smtp.password", "x")):
        await ask(stage, control, f"!domain set acme.example {key} {value}")
    for said in (f"!inbox add {SUPPORT}", PASSWORD, ALICE):
        await ask(stage, control, said)
    await ask(stage, control, "!inbox publish support", "is live")
    said = await ask(
        stage, control, "!inbox set support smtp.host 127.0.0.2", "Nothing was changed"
    )
    assert "needs user and password" in said
    several = "imap.user bob imap.password hunter2-canary"
    await ask(stage, control, f"!domain set acme.example {several}", "takes one word")
    await ask(stage, control, "!template set acme.example imap.password hunter3-canary", "Kinds:")
    await stage.quiet()
    assert "canary" not in str([each["content"] for each in control.events])
    async with stage.app.desk.store.reading() as tx:
        assert "canary" not in str(await tx.domains.all())
        assert "canary" not in str(await tx.audit.last(50))


async def test_a_log_in_of_its_own_takes_the_place_of_the_domains() -> None:
    domain = {"imap": {"host": "imap.gmail.com", "oauth": "google"}}
    values, secrets = shared.merged({}, {"imap.password": "own"}, domain, {})
    assert "oauth" not in values["imap"]
    assert secrets == {"imap.password": "own"}
    values, secrets = shared.merged(
        {"imap": {"oauth": "google"}}, {}, {"imap": {"host": "imap.gmail.com"}},
        {"imap.password": "domain's"},
    )  # fmt: skip
    assert (values["imap"]["oauth"], secrets) == ("google", {})


async def test_a_domain_whose_passwords_no_key_opens_is_mended_by_a_new_one(
    stage: Stage, names: DnsServer
) -> None:
    control = await added(stage, names)
    await ask(stage, control, f"!domain set acme.example imap.password {PASSWORD}")
    for said in (f"!inbox add {SUPPORT}", ALICE, "!inbox publish support"):
        await ask(stage, control, said)
    async with stage.app.desk.store.transaction("settings") as tx:
        (kept,) = await tx.domains.all()
        lost = Vault([new_key()]).seal(PASSWORD)
        await tx.domains.save(replace(kept, secrets={"imap.password": lost}))
        await touch(tx)
    await ask(stage, control, "!inbox list", "cannot be used")
    await ask(
        stage, control, f"!domain set acme.example imap.password {PASSWORD}", "Kept encrypted"
    )
    await ask(stage, control, "!inbox list", "live")


async def test_back_goes_to_what_was_answered_here(stage: Stage, names: DnsServer) -> None:
    control = await added(stage, names)
    await ask(stage, control, f"!inbox add {SUPPORT}", "What is the password")
    await ask(stage, control, "!back", "This is the first question.")
    await ask(stage, control, PASSWORD, "Who answers this mail?")
    await ask(stage, control, "!back", "What is the password")
