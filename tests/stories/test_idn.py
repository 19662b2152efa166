"""Internationalised domains: every program may write the same address in another form."""

from __future__ import annotations

from tests.stage import ALICE, Stage, mail
from tests.stories.desk import begun

UNICODE, ASCII = "müller.example", "xn--mller-kva.example"


async def test_a_customer_and_an_inbox_of_such_domains_are_who_they_are(stage: Stage) -> None:
    first = mail(sender=f"Carla <carla@{UNICODE}>", to=f"hilfe@{ASCII}",
                 Cc="support@acme.example")  # fmt: skip
    room = await begun(stage, first, sent_copy="never", aliases=[f"hilfe@{UNICODE}"])
    # another program of theirs writes the domain as DNS has it
    await stage.mail(mail("And one more thing.", message_id="<m2@x.example>",
                          sender=f"Carla <Carla@{ASCII}.>", to=f"hilfe@{UNICODE}",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "And one more thing.")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "✅ sent")
    (sent,) = stage.smtp.accepted()
    assert [spec.lower() for spec in sent["to"]] == [f"carla@{ASCII}"]
    assert sent["raw"].isascii()
    stage.hs.say(ALICE, room.id, "!block größe.example")
    await stage.sees(room, "blocked")
    await stage.mail(mail("Spam.", message_id="<m3@x.example>", sender="eve@xn--gre-6ka8i.example",
                          subject="Buy"))  # fmt: skip
    await stage.quiet()
    queue = await stage.room("Support queue")
    assert not [body for body in stage.hs.bodies(queue) if "Buy" in body]
