"""Commands and reactions: what an agent said, and the one table of what can be said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bridge.chat.content import object_at, storable
from bridge.mail.address import bare
from bridge.model import Address, Content, EventId


@dataclass(frozen=True, slots=True)
class Command:
    """`!name rest` as it was typed; `rest` keeps its line breaks."""

    name: str
    rest: str


@dataclass(frozen=True, slots=True)
class Spec:
    """One command: where it works, how it is used, what it does."""

    name: str
    room: str
    usage: str
    help: str


TABLE: tuple[Spec, ...] = (
    Spec("reply", "conversation", "reply TEXT", "Email TEXT to the customer. Markdown works, and"
         " many lines. As a reply to a mail it answers that mail, as a reply to your file it sends"
         " the file too."),
    Spec("send", "conversation", "send", "As a reply to an agent's message: email that message."
         " The same as reacting with 📧."),
    Spec("attach", "conversation", "attach", "As a reply to a file: keep it for your next email."
         " The same as reacting with 📎."),
    Spec("draft", "conversation", "draft TEXT", "Show the whole email as the customer would get it,"
         " and send it when somebody says yes. An edit of your message changes it."),
    Spec("forward", "conversation", "forward [all] ADDRESS… [TEXT]", "Email the newest mail that"
         " came in, or the one it replies to, to somebody else, files included; all takes the whole"
         " conversation. Room talk never goes along."),
    Spec("undo", "conversation", "undo", "Stop the email that is about to leave. The same as ❌ on"
         " its status."),
    Spec("yes", "conversation", "yes", "Answer the bridge's question with yes, as ✅ does."),
    Spec("no", "conversation", "no", "Answer the bridge's question with no, as ❌ does."),
    Spec("retry", "conversation", "retry", "Try a failed or unconfirmed email again, as 🔁 does."),
    Spec("to", "conversation", "to [+ADDRESS…] [-ADDRESS…]", "Show who the next email goes to, or"
         " add and remove addresses until changed again."),
    Spec("cc", "conversation", "cc [+ADDRESS…] [-ADDRESS…]", "The same for copies."),
    Spec("bcc", "conversation", "bcc [+ADDRESS…] [-ADDRESS…]", "The same for blind copies."),
    Spec("take", "conversation", "take", "Make this conversation yours. The same as ✋ on its"
         " card."),
    Spec("assign", "conversation", "assign @WHO", "Give this conversation to another agent, who is"
         " told."),
    Spec("unassign", "conversation", "unassign", "Let whoever likes take this conversation."),
    Spec("close", "conversation", "close", "Close the conversation, as ✅ on its card does. A mail"
         " from the customer opens it again."),
    Spec("reopen", "conversation", "reopen", "Open a closed conversation again."),
    Spec("spam", "conversation", "spam", "Put it away as spam: mails that follow it open nothing."
         " !reopen takes it back."),
    Spec("block", "conversation", "block [ADDRESS|DOMAIN]", "Keep what comes from there as spam"
         " that tells nobody; alone it means this contact."),
    Spec("unblock", "conversation", "unblock [ADDRESS|DOMAIN]", "Listen to it again; alone it"
         " shows what is blocked."),
    Spec("snooze", "conversation", "snooze TIME", "Put it aside until TIME, like 2d, 3h, tomorrow"
         " 9:00 or monday, in the zone of your profile. A mail from the customer wakes it before."),
    Spec("tag", "conversation", "tag [+NAME…] [-NAME…]", "Show the tags, or add and take away"
         " some."),
    Spec("priority", "conversation", "priority high|normal|low", "Have it before or behind the"
         " others in the list."),
    Spec("subject", "conversation", "subject [TEXT]", "Call the room and the next emails TEXT."),
    Spec("snippet", "conversation", "snippet NAME [send]", "Show a standard response as a draft, or"
         " send it at once."),
    Spec("snippet", "conversation", "snippet add NAME", "As a reply to an agent's message: keep its"
         " text as a standard response of this inbox."),
    Spec("snippets", "conversation", "snippets [NAME]", "Show the standard responses, or one"
         " whole."),
    Spec("contact", "conversation", "contact [name TEXT | note TEXT | add ADDRESS |"
         " remove ADDRESS | set ADDRESS]", "Show who this is, or change what is known of them; set"
         " makes ADDRESS the contact here, for a mail that a colleague forwarded."),
    Spec("merge", "conversation", "merge #NUMBER", "Have this conversation go on in another one,"
         " with all its mails."),
    Spec("split", "conversation", "split", "As a reply to a mail: have it begin a conversation of"
         " its own."),
    Spec("move", "conversation", "move ADDRESS", "Give this conversation to another inbox and its"
         " team, room and number included."),
    Spec("note", "conversation", "note TEXT", "Keep TEXT so that the search finds it. All talk in a"
         " room is internal; a note is what one wants to find again."),
    Spec("history", "conversation", "history", "Show this contact's other conversations."),
    Spec("headers", "conversation", "headers", "Show a mail's headers. As a reply to a mail: its,"
         " else those of the newest that came in."),
    Spec("info", "conversation", "info", "Show the contact, state, agent and people of this"
         " conversation."),
    Spec("original", "conversation", "original", "See a mail as it came, with its pictures, on a"
         " page of its own. As a reply to a mail: that one, else the newest."),
    Spec("export", "conversation", "export", "Get all mails of this conversation as an .mbox file,"
         " attachments included."),
    Spec("help", "conversation", "help [COMMAND]", "Show the commands, or one of them."),
    Spec("take", "queue", "take NUMBER", "Make conversation NUMBER yours."),
    Spec("compose", "queue", "compose ADDRESS… SUBJECT", "Begin a conversation by email: the text"
         " stands on the lines below."),
    Spec("list", "queue", "list [open|mine|unassigned|snoozed|answered|closed|spam|tag:NAME|"
         "department:NAME]",
         "List conversations, with links."),
    Spec("search", "queue", "search WORDS", "Find mails and notes of this inbox that hold all"
         " WORDS, with links to the messages. \"exact words\" in quotes stay together."),
    Spec("snippets", "queue", "snippets [NAME]", "Show the standard responses, or one whole."),
    Spec("stats", "queue", "stats", "Show who waits, what came and was answered, and how long it"
         " took."),
    Spec("away", "queue", "away", "Get no new conversations by yourself for now; you keep those you"
         " have."),
    Spec("back", "queue", "back", "Be there again."),
    Spec("help", "queue", "help [COMMAND]", "Show the commands, or one of them."),
    Spec("inbox", "control", "inbox list", "Show every inbox, its state, and where it is set up."),
    Spec("inbox", "control", "inbox add [ADDRESS]", "Set up an inbox: asks for what is missing, one"
         " question at a time, and makes a draft."),
    Spec("inbox", "control", "inbox show INBOX", "Show what is set, passwords excepted."),
    Spec("inbox", "control", "inbox set INBOX KEY VALUE", "Change one key, like imap.port; - gives"
         " it its default. A live inbox changes at once. A password is redacted and kept"
         " encrypted."),
    Spec("inbox", "control", "inbox test INBOX", "Try every step, from the server's name to a real"
         " mail to itself, and say what failed and what to do."),
    Spec("inbox", "control", "inbox publish INBOX [COMMENT]", "Take a draft live."),
    Spec("inbox", "control", "inbox pause INBOX", "Read and send no mail for now; what arrives"
         " waits in the mailbox."),
    Spec("inbox", "control", "inbox resume INBOX", "Go on after a pause."),
    Spec("inbox", "control", "inbox remove INBOX", "Take an inbox away; says what stays, and asks"
         " first."),
    Spec("agent", "control", "agent list", "Show who answers each inbox, and who is invited."),
    Spec("agent", "control", "agent add @WHO [lead] [INBOX]", "Invite somebody to an inbox's queue"
         " room; lead makes them one."),
    Spec("agent", "control", "agent remove @WHO [INBOX]", "Remove somebody from the queue room and"
         " every conversation of an inbox."),
    Spec("snippet", "control", "snippet list", "Show all standard responses, and the variables they"
         " can hold."),
    Spec("snippet", "control", "snippet add NAME [INBOX]", "Write a standard response, its text on"
         " the lines below; for all inboxes, or for one."),
    Spec("snippet", "control", "snippet edit NAME [INBOX]", "Write it anew, in the same way."),
    Spec("snippet", "control", "snippet remove NAME [INBOX]", "Take one away."),
    Spec("rule", "control", "rule list", "Show every rule: when it holds, and what it does."),
    Spec("rule", "control", "rule add INBOX", "Write a rule, as YAML on the lines below; it holds"
         " from the next mail on."),
    Spec("rule", "control", "rule test INBOX", "Show what the rules, or those on the lines below,"
         " would have done with the last 50 mails."),
    Spec("rule", "control", "rule remove NUMBER", "Take a rule away."),
    Spec("status", "control", "status", "Show the homeserver, every inbox and what is waiting."),
    Spec("queue", "control", "queue", "Show what waits, why, and what failed for good."),
    Spec("retry", "control", "retry [NUMBER]", "Give what failed for good new tries: everything, or"
         " one job of the queue."),
    Spec("quarantine", "control", "quarantine list", "Show mails that could not be taken in, whose"
         " bytes are kept, and Matrix events that could not be handled."),
    Spec("quarantine", "control", "quarantine show NUMBER", "Show one of them, and why."),
    Spec("quarantine", "control", "quarantine retry NUMBER", "Try one of them again."),
    Spec("quarantine", "control", "quarantine drop NUMBER", "Give one of them up; asks first."),
    Spec("report", "control", "report week|month", "Show what came, was answered and resolved, and"
         " how long it took, by inbox and tag: text, table and picture."),
    Spec("export", "control", "export #NUMBER | INBOX", "Get the mails of a conversation, or of a"
         " whole inbox, as .mbox files."),
    Spec("erase", "control", "erase ADDRESS", "Erase everything of one person: redacts it in the"
         " rooms, deletes it here. Says what stays, and asks first."),
    Spec("audit", "control", "audit [COUNT]", "Show what admins changed: who, what and when."),
    Spec("yes", "control", "yes", "Answer the bridge's question with yes."),
    Spec("no", "control", "no", "Answer the bridge's question with no."),
    Spec("help", "control", "help [COMMAND]", "Show the commands, or those of one word."),
)  # fmt: skip

REACTIONS: tuple[tuple[str, str], ...] = (
    ("✋", "on a card: take the conversation; ✅ there closes it"),
    ("📧", "on an agent's message or file: email it"),
    ("📎", "on a file: keep it for your next email"),
    ("👤", "on a mail that a colleague forwarded: whoever wrote it first is the contact"),
    ("🔗", "on a card: merge it into the conversation it claims to belong to"),
    ("❌", "on a status or draft: stop the email, or answer no"),
    ("✅", "on a status or draft: answer yes, or say that it arrived"),
    ("🔁", "on a status: try again"),
)
ROOMS = {
    "conversation": "a conversation's room",
    "queue": "the queue room",
    "control": "the control room",
}
HAND, MAIL, CLIP, PERSON, LINK, CROSS, TICK, AGAIN = (emoji for emoji, _ in REACTIONS)
SKIN_TONES_AND_VARIANTS = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")


def emoji(key: str) -> str:
    """A reaction's key without U+FE0F and skin tones, which clients add as they like."""
    return SKIN_TONES_AND_VARIANTS.sub("", key)


def spec(name: str, room: str) -> Spec | None:
    return next((each for each in TABLE if each.name == name and each.room == room), None)


def unknown(name: str, room: str, prefix: str) -> str:
    """The answer to a command that is none here."""
    elsewhere = [spec.room for spec in TABLE if spec.name == name and spec.room != room]
    if elsewhere:
        return f"{prefix}{name} works in {ROOMS[elsewhere[0]]}."
    return f"No command {prefix}{name}; {prefix}help lists them."


def new_text(content: Content) -> str:
    """A message's own text, the reply fallback stripped; empty for what is no text message."""
    if content.get("msgtype") != "m.text":
        return ""
    body = content.get("body")
    if not isinstance(body, str):
        return ""
    reply = relation(content).get("m.in_reply_to")
    if reply is not None and body.startswith(("> <@", "> * <@")):
        # Client-Server API v1.12 and before: quoted lines, then one empty line
        lines = body.split("\n")
        while lines and lines[0].startswith(">"):
            lines.pop(0)
        body = "\n".join(lines).removeprefix("\n")
    return body


def parse(content: Content, prefix: str) -> Command | None:
    """The command a message begins with; None for talk and for edits."""
    if edited(content) is not None:
        return None
    return parse_text(new_text(content), prefix)


def parse_text(text: str, prefix: str) -> Command | None:
    """The command `text` begins with; names compare without regard to case."""
    if not text.startswith(prefix):
        return None
    match = re.match(r"([a-zA-Z]+)(?:[ \t\n]+|$)", text[len(prefix) :])
    if match is None:
        return None
    return Command(match[1].lower(), text[len(prefix) + match.end() :].strip())


def addressed(rest: str) -> tuple[list[Address], str]:
    """The addresses that a command's text begins with, and what stands behind them, as typed."""
    found: list[Address] = []
    while True:
        word = rest.split(maxsplit=1)[0] if rest.strip() else ""
        address = bare(word.strip(",;")) if "@" in word else None
        if address is None:
            return found, rest
        if address.key not in {each.key for each in found}:
            found.append(address)
        rest = rest.lstrip()[len(word) :].lstrip(" \t")


def forwarded(rest: str) -> tuple[bool, list[Address], str]:
    """(whether all mails are meant, to whom, what is written above them) of a `!forward`."""
    first, _, behind = rest.partition(" ")
    takes_all = first.casefold() == "all"
    return takes_all, *addressed(behind if takes_all else rest)


def body_of(said: Command) -> str:
    """What of a command is sent: all of it, or what stands behind its addresses."""
    match said.name:
        case "forward":
            return forwarded(said.rest)[2].strip()
        case "compose":
            return said.rest.partition("\n")[2].strip()
        case _:
            return said.rest


def event_id(value: Any) -> EventId | None:
    """An event's id as a client wrote it; None for what cannot be one."""
    fits = isinstance(value, str) and 0 < len(value) <= 255 and storable(value)
    return EventId(value) if fits else None


def relation(content: Content) -> dict[str, Any]:
    return object_at(content, "m.relates_to")


def replied_to(content: Content) -> EventId | None:
    """The event a message truly replies to; a thread's fallback does not count."""
    relates = relation(content)
    if relates.get("is_falling_back") is True:
        return None
    return event_id(object_at(relates, "m.in_reply_to").get("event_id"))


def mentioned(content: Content) -> list[str]:
    """The Matrix ids a message mentions (Client-Server API v1.14 §11.36)."""
    users = object_at(content, "m.mentions").get("user_ids")
    return [each for each in users if isinstance(each, str)] if isinstance(users, list) else []


def edited(content: Content) -> EventId | None:
    """The event a message edits."""
    relates = relation(content)
    return event_id(relates.get("event_id")) if relates.get("rel_type") == "m.replace" else None


def reaction(content: Content) -> tuple[EventId, str] | None:
    """(event, emoji) of an m.reaction's content."""
    relates = relation(content)
    event, key = event_id(relates.get("event_id")), relates.get("key")
    if relates.get("rel_type") != "m.annotation" or event is None or not isinstance(key, str):
        return None
    return event, emoji(key)


def latest(event: Content) -> Content | None:
    """The content of an event as its author last edited it; None when it was redacted.

    `event` is as the homeserver gives it: GET /event keeps the old content and bundles the
    newest edit, which can be by anybody.
    """
    content = object_at(event, "content")
    unsigned = object_at(event, "unsigned")
    if not content or unsigned.get("redacted_because"):
        return None
    edit = object_at(unsigned, "m.relations", "m.replace")
    if edit and edit.get("sender") == event.get("sender"):
        changed = object_at(edit, "content", "m.new_content")
        if changed:
            # the relation stays that of the first version
            return {**changed, "m.relates_to": relation(content)}
    return dict(content)


def is_file(content: Content) -> bool:
    return content.get("msgtype") in ("m.file", "m.image", "m.audio", "m.video")
