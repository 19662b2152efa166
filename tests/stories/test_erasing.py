"""What `!erase` must not leave behind: third parties, earlier questions, quarantine."""

from __future__ import annotations

import pytest

from tests.servers.database import rows
from tests.stage import CUSTOMER, Stage, mail, until
from tests.stories.desk import ask, begun, control_room


async def nothing_of(stage: Stage, *words: str) -> None:
    """No table holds a word, and no event of a room does."""
    for table in ("conversation", "participant", "post", "mail", "known_id", "awaited", "event",
                  "audit", "setting", "override", "job"):  # fmt: skip
        found = str(await rows(stage.database, stage.folder, f"SELECT * FROM {table}"))
        for word in words:
            assert word not in found, (table, word)
    for room in stage.hs.rooms.values():
        for event in room.events:
            shown = str(event["content"])
            assert not any(word in shown for word in words), event["content"]


async def test_a_mail_in_a_conversation_of_others_goes_with_its_ghost(stage: Stage) -> None:
    room = await begun(stage, mail(sender="Carla <carla@shop.example>"))
    await stage.mail(mail("I am her colleague.", sender="Cem Colleague <cem@shop.example>",
                          message_id="<cem1@shop.example>", subject="Re: Dark display",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "I am her colleague.")
    await stage.quiet()
    control = await control_room(stage)
    await ask(stage, control, "!erase cem@shop.example", "1 mail in conversations of others")
    await ask(stage, control, "!yes", "Erased: ")
    await stage.quiet()
    await nothing_of(stage, "Cem Colleague", "cem@shop.example", "cem1@shop", "her colleague")
    assert room.membership("@email_cem=40shop.example:fake.local") == "leave"
    assert "my display stays dark" in str(stage.hs.bodies(room))


async def test_every_question_about_a_person_is_redacted_and_not_the_last_one_alone(
    stage: Stage,
) -> None:
    await begun(stage)
    control = await control_room(stage)
    for _ in range(2):
        await ask(stage, control, f"!erase {CUSTOMER}", "This cannot be undone")
    await ask(stage, control, "!no", "Nothing was done.")
    await ask(stage, control, f"!erase {CUSTOMER}", "This cannot be undone")
    await ask(stage, control, "!yes", "Erased: ")
    await stage.quiet()
    await nothing_of(stage, CUSTOMER)


async def test_mail_in_quarantine_is_erased_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise KeyError("a bug of ours")

    monkeypatch.setattr("bridge.worker.delay_after", lambda tries, floor=None: 0.05)
    monkeypatch.setattr("bridge.desk.inbound.show.mail_event.content", fails)
    await stage.open()
    control = await control_room(stage)
    await stage.mail(mail())
    await stage.sees(control, "Reading a mail (job")
    await ask(stage, control, "!quarantine list", "Dark display", CUSTOMER)
    await ask(
        stage, control, f"!erase {CUSTOMER}", "1 mail in conversations of others or in quarantine"
    )
    await ask(stage, control, "!yes", "Erased: ")
    await ask(stage, control, "!quarantine list", "Nothing is in quarantine.")
    await stage.quiet()
    await nothing_of(stage, CUSTOMER)
    (raw,) = await rows(stage.database, stage.folder, "SELECT bytes FROM raw")
    assert bytes(raw["bytes"]) == b""


@pytest.mark.parametrize("spec", ["straße@x.example", "ÄNNA@x.example"])
async def test_an_address_in_any_script_is_found_in_any_case(stage: Stage, spec: str) -> None:
    raw = mail(sender="x@x.example").replace(b"x@x.example", spec.encode(), 1)
    await begun(stage, raw)
    control = await control_room(stage)
    await ask(stage, control, f"!erase {spec.swapcase()}", "1 conversation (#1)")
    await ask(stage, control, "!yes", "Erased: 1 conversation")
    await until(lambda: _empty(stage), "the conversation to be forgotten")


async def _empty(stage: Stage) -> bool:
    found = await rows(
        stage.database, stage.folder, "SELECT contact, contact_key FROM conversation"
    )
    return all(not row["contact"] and not row["contact_key"] for row in found)
