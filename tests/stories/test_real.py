"""Stories on a real Synapse and a real Dovecot, with agents who use another client."""

from __future__ import annotations

import base64
import quopri
import re
from email.header import Header, decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.policy import default
from urllib.parse import quote, unquote_to_bytes

import aiohttp
import pytest

from bridge.matrix.homeserver import Homeserver
from bridge.model import Mxid
from tests.real import DOMAIN, Town
from tests.stage import mail, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
CANARY = "qanarivogel"


def everything(raw: bytes) -> str:
    """All a mail says, in every coding: headers, parts, file names, the bytes themselves."""
    seen = [raw.decode("utf-8", "replace")]
    message = BytesParser(policy=default).parsebytes(raw)
    stack: list[Message] = [message]
    while stack:
        part = stack.pop()
        for value in part.values():
            seen.append(str(make_header(decode_header(str(value)))))
            seen.append(unquote_to_bytes(str(value).replace("''", " ")).decode("utf-8", "replace"))
        if part.is_multipart():
            stack += [each for each in part.get_payload() if isinstance(each, Message)]
        else:
            data = part.get_payload(decode=True)
            text = data.decode("utf-8", "replace") if isinstance(data, bytes) else ""
            seen += [text, re.sub(r"<[^>]*>", "", text)]
    return "\n".join(seen)


async def test_T37_no_word_of_the_internal_talk_leaves(town: Town) -> None:
    """Three conversations interleaved, two inboxes, two agents, an outsider and an ex-agent."""
    await town.open(support=town.inbox("support"), sales=town.inbox("sales"))
    alice, bob, eve = (town.agents[name] for name in ("alice", "bob", "eve"))
    for agent in (alice, bob):
        for queue in ("Support queue", "Sales queue"):
            await agent.enter(queue)
    for number, (box, who) in enumerate(
        (("support", "carla"), ("support", "dora"), ("sales", "emil")), 1
    ):
        raw = mail(f"Question of {who}", subject=f"Case {who}",
                   message_id=f"<{who}@customer.example>",
                   sender=f"{who} <{who}@customer.example>", to=f"{box}@acme.example")  # fmt: skip
        await town.deliver(f"{box}@acme.example", raw)
        queue = await alice.enter(f"{box.capitalize()} queue")
        card = await alice.sees(queue, f"#{number} {who}")
        await alice.react(queue, card["event_id"], "✋")
    rooms = [await alice.enter(f"#{number} Case") for number in (1, 2, 3)]
    for room in rooms:
        await bob.join(room)
    await alice.client.room_invite(rooms[0], eve.mxid)
    await eve.join(rooms[0])

    for index, room in enumerate(rooms):
        first = await bob.say(room, f"{CANARY} plain {index}")
        await bob.edit(room, first, f"{CANARY} edited {index}")
        await bob.reply(room, first, f"{CANARY} replied {index}")
        await bob.send(room, {
            "msgtype": "m.text", "body": f"{CANARY} in a thread",
            "m.relates_to": {"rel_type": "m.thread", "event_id": first, "is_falling_back": True,
                             "m.in_reply_to": {"event_id": first}},
        })  # fmt: skip
        await bob.file(room, f"{CANARY}.txt", CANARY.encode(), "text/plain")
        command = await alice.say(room, f"!reply Answer number {index}.")
        await bob.reply(room, command, f"{CANARY} about the answer")
        await alice.reply(room, first, f"!reply Another answer {index}, as a reply to talk.")
        await eve.say(room, f"!reply {CANARY} of an outsider") if index == 0 else None
    await town.sent(6)
    queue = next(room for room, name in bob.names.items() if name == "Support queue")
    await bob.client.room_leave(queue)
    await alice.sees(rooms[0], "Only agents of Support")
    await town.quiet(60)
    answer = await bob.client.room_send(
        rooms[1], "m.room.message", {"msgtype": "m.text", "body": f"!reply {CANARY} ex-agent"}
    )
    assert "M_FORBIDDEN" in str(answer) or "not in room" in str(answer)
    entries = town.smtp.accepted()
    assert len(entries) == 6, town.dump()
    for entry in entries:
        assert CANARY not in everything(entry["raw"])
        assert CANARY not in f"{entry['from']} {entry['to']}"

    # the same search finds a canary that was sent on purpose, however it is coded
    await alice.say(rooms[2], f"!reply The word is {CANARY}, **{CANARY}**.")
    sent = (await town.sent(7))[-1]
    assert CANARY in everything(town.smtp.accepted()[-1]["raw"])
    assert sent["To"] == "emil <emil@customer.example>"


@pytest.mark.parametrize(
    "hidden",
    [
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(f"x{CANARY}".encode()),
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        + quopri.encodestring(f"ü{CANARY[:4]}=\n{CANARY[4:]}".encode()).replace(b"=3D\n", b"=\r\n"),
        f"Subject: {Header('ü' + CANARY, 'utf-8').encode()}\r\n\r\nx".encode(),
        f"Content-Disposition: a; filename*=utf-8''{quote('ü' + CANARY)}\r\n\r\nx".encode(),
        f"Content-Type: text/html\r\n\r\n<b>{CANARY[:5]}</b><i>{CANARY[5:]}</i>".encode(),
    ],
    ids=["base64", "quoted-printable", "RFC 2047", "RFC 2231", "HTML"],
)
def test_the_search_finds_a_canary_in_every_coding(hidden: bytes) -> None:
    assert CANARY in everything(b"From: a@b.example\r\n" + hidden)


async def test_both_sides_see_one_thread(town: Town) -> None:
    """Judged by Dovecot's THREAD REFS; the subject changes on the way. Over STARTTLS."""
    imap = {**town.inbox("support")["imap"], "tls": "starttls", "port": town.dovecot.imap_port}
    await town.open(support=town.inbox("support", imap=imap))
    alice = town.agents["alice"]
    await alice.enter("Support queue")
    support, carla = "support@acme.example", "carla@customer.example"
    stranger = mail("Unrelated", message_id="<other@elsewhere.example>", subject="Re: Broken lamp",
                    sender="zoe@elsewhere.example")  # fmt: skip
    first = mail("It is broken.", message_id="<c1@customer.example>", subject="Broken lamp")
    for box, raw in ((support, first), (carla, first), (support, stranger)):
        await town.deliver(box, raw)
    room = await alice.walk_in(1)
    await alice.say(room, "!reply Which model?")
    (one,) = await town.sent(1)
    await town.deliver(carla, town.smtp.accepted()[0]["raw"])
    second = mail("Model X.", message_id="<c2@customer.example>", subject="Model X of my lamp",
                  In_Reply_To=str(one["Message-ID"]),
                  References=f"<c1@customer.example> {one['Message-ID']}")  # fmt: skip
    for box in (support, carla):
        await town.deliver(box, second)
    shown = await alice.sees(room, "Model X.")
    await alice.reply(room, shown["event_id"], "!reply A new one is on its way.")
    sent = await town.sent(2)
    assert sent[1]["In-Reply-To"] == "<c2@customer.example>"
    await town.deliver(carla, town.smtp.accepted()[1]["raw"])

    # the customer's mailbox: four mails, one chain
    assert town.threads(carla) == "(1 2 3 4)"
    # ours, with the copies of what we sent put beside what came in
    await until(lambda: len(town._mailbox(support, "Sent")) == 2, "the copies in Sent")
    for raw in town._mailbox(support, "Sent"):
        await town.deliver(support, raw)
    threads = re.findall(r"\([^()]*(?:\([^()]*\)[^()]*)*\)", town.threads(support))
    assert sorted(len(re.findall(r"\d+", thread)) for thread in threads) == [1, 4], threads


async def test_synapse_restarts_in_the_middle_of_a_story(town: Town) -> None:
    """On SQLite its transaction ids restart; nothing is lost or doubled."""
    await town.open()
    alice = town.agents["alice"]
    await alice.enter("Support queue")
    await town.deliver("support@acme.example", mail())
    room = await alice.walk_in(1)
    await alice.say(room, "!reply Answer 0")
    await town.sent(1)
    for index in (1, 2):
        await town.synapse.stop()
        await town.deliver(
            "support@acme.example",
            mail(f"While it was away {index}", message_id=f"<away{index}@customer.example>",
                 In_Reply_To="<m1@customer.example>"),
        )  # fmt: skip
        await town.synapse.start()
        await alice.sees(room, f"While it was away {index}", 60)
        await alice.say(room, f"!reply Answer {index}")
        await town.sent(index + 1, 90)
    bodies = [event["content"].get("body") for event in await alice.messages(room)]
    assert sum(str(body).startswith("While it was away") for body in bodies) == 2
    texts = [str(message.get_body(("plain",)).get_content()) for message in await town.sent(3)]  # type: ignore[union-attr]  # each has a text
    assert sorted(text.splitlines()[0] for text in texts) == ["Answer 0", "Answer 1", "Answer 2"]


async def test_a_push_that_synapse_lost_by_dying_is_found(town: Town) -> None:
    """Killed right after it answered the agent, Synapse never pushes the command."""
    await town.open()
    alice = town.agents["alice"]
    await alice.enter("Support queue")
    await town.deliver("support@acme.example", mail())
    room = await alice.walk_in(1)
    for index in range(3):
        await alice.say(room, f"!reply Command {index}")
        await town.synapse.kill()
        await town.synapse.start()
        await town.sent(index + 1, 90)
    await town.quiet(60)
    assert len(town.smtp.accepted()) == 3


@pytest.mark.parametrize(
    "point",
    ["accept:before", "room:before", "matrix.send:after", "verdict:before", "uploaded:after"],
)
async def test_five_failpoints_on_real_servers(town: Town, point: str) -> None:
    town_inbox = town.inbox("support")
    await town.open(f"{point}:1:kill9", support=town_inbox)
    alice = town.agents["alice"]

    async def revive() -> bool:
        if not town.bridge.is_alive():
            assert await town.bridge.wait() == -9
            await town.bridge.start()
            return True
        return False

    died = town.died
    await town.deliver("support@acme.example", mail(files=(("photo.png", "image/png", b"PNG"),)))

    async def arrived() -> bool:
        nonlocal died
        died = await revive() or died
        await alice.look()
        return any(name.startswith("Support queue") for name in alice.names.values())

    await until(arrived, "the queue room", 30)
    await alice.enter("Support queue")

    async def room_made() -> str:
        nonlocal died
        died = await revive() or died
        queue = next(room for room, name in alice.names.items() if name == "Support queue")
        for event in await alice.messages(queue):
            found = re.search(r"matrix\.to/#/(![^?]+)", event["content"].get("body", ""))
            if found:
                return found[1]
        return ""

    room = await until(room_made, "the card", 60)
    await alice.join(room)
    await alice.say(room, "!reply Hello")

    async def settled() -> bool:
        nonlocal died
        died = await revive() or died
        bodies = [str(e["content"].get("body", "")) for e in await alice.messages(room)]
        return any(b.startswith(("✅ sent", "❓")) for b in bodies) and "photo.png" in bodies

    await until(settled, "the mail to be sent or unknown", 60)
    await town.quiet(60)
    assert died, f"{point} was never passed"
    bodies = [str(e["content"].get("body", "")) for e in await alice.messages(room)]
    assert bodies.count("photo.png") == 1
    assert sum("my display stays dark" in body for body in bodies) == 1
    assert len(town.smtp.accepted()) == 1


async def test_the_zone_of_a_profile_is_read_where_the_homeserver_knows_it(town: Town) -> None:
    await town.open()
    alice, bob = town.agents["alice"], town.agents["bob"]
    homeserver = Homeserver(town.synapse.url, "as", f"@email_bot:{DOMAIN}")
    await homeserver.start()
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.put(
                f"{town.synapse.url}/_matrix/client/v3/profile/{alice.mxid}/m.tz",
                json={"m.tz": "Asia/Tokyo"},
                headers={"Authorization": f"Bearer {alice.client.access_token}"},
            ) as answer,
        ):
            knows = answer.status == 200
        found = await homeserver.time_zone(Mxid(alice.mxid))
        assert str(found) == ("Asia/Tokyo" if knows else "None")
        assert knows
        assert await homeserver.time_zone(Mxid(bob.mxid)) is None
        assert await homeserver.time_zone(Mxid("@nobody:else.where")) is None
    finally:
        await homeserver.close()
