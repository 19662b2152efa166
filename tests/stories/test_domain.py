"""`!domain`: what DNS says of a domain's mail, and the line to put in."""

from __future__ import annotations

import pytest

from tests.servers.dns import DnsServer
from tests.stage import Stage
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
