"""Snippets (standard responses): agents list, send and save them; admins edit them."""

from __future__ import annotations

import re

from bridge.chat import command, render
from bridge.desk.command import Answer, CommandSpec, Needs
from bridge.desk.context import CommandContext, Request
from bridge.desk.desk import Desk, mail_meant
from bridge.desk.outbound import dispatch, reply
from bridge.desk.rules import of_inbox
from bridge.mail import snippet as texts
from bridge.mail.html import from_text
from bridge.model import InboxId, Refused, Role
from bridge.ports import Tx

NAME = re.compile(r"[^\W_](?:[^\W_]|-){0,39}")
SHARED = InboxId("")
RESERVED = ("add", "edit", "remove", "list", "send")
SHOWN = 60


async def use(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!snippet NAME [send]`: show it as a draft, or send it at once. `!snippet add NAME` as a
    reply saves an agent's message as a snippet."""
    words = context.rest.split()
    if words[:1] == ["add"]:
        return await _keep(tx, desk, context, " ".join(words[1:]))
    known = await tx.snippets.all(context.inbox.id)
    if not words or len(words) > 2 or words[1:] not in ([], ["send"]):
        raise Refused("Say which: !snippet NAME shows it first, !snippet NAME send sends it."
                      f" There {_list_text(known)}.")  # fmt: skip
    name = words[0].casefold()
    if name not in known:
        raise Refused(f"There is no snippet {words[0][:40]}; there {_list_text(known)}.")
    filled = texts.fill(known[name], _values(context))
    letter = None
    if context.points_at is not None:
        letter = await mail_meant(tx, context.conversation.number, context.points_at)
    pinned = await tx.pins.of(context.conversation.number, context.who)
    files = [*dispatch.captioned_file(context), *pinned]
    sends = words[1:] == ["send"] and not filled.missing
    answer = reply.Answer(context.event.id, files, letter, is_draft=not sends, text=filled.text)
    said = await reply.order(tx, desk, context, answer)
    if filled.missing:
        gaps = " and ".join(texts.VARIABLES[each] for each in filled.missing)
        return f"Look at it first: {gaps} is not known here."
    return said


def _list_text(known: dict[str, str]) -> str:
    return f"are {', '.join(list(known)[:SHOWN])}" if known else "are none yet"


def _values(context: CommandContext) -> dict[str, str]:
    conversation = context.conversation
    return {
        "first_name": texts.first_name(conversation.contact),
        "name": conversation.contact.name,
        "address": conversation.contact.spec,
        "number": f"#{conversation.number}",
        "subject": conversation.subject,
        "agent": context.sender_name,
        "inbox": context.inbox.name,
    }


async def _keep(tx: Tx, desk: Desk, context: CommandContext, said: str) -> str:
    """Save an agent's message as a snippet of this inbox."""
    name = _named(said)
    content = command.latest(context.target) if context.target is not None else None
    author = (context.target or {}).get("sender", "")
    if content is None or not await tx.rooms.is_agent(context.inbox.id, author):
        raise Refused("Use this as a reply to an agent's message: its text becomes the snippet.")
    inbox = context.inbox
    if name in await tx.snippets.all(inbox.id):  # also a shared snippet, which this would hide
        raise Refused(f"There is a snippet {name} already; an admin can edit it.")
    if name in {rule.then.snippet.casefold() for _, rule in await of_inbox(tx, inbox)}:
        raise Refused(
            f"A rule of {inbox.name} answers with the snippet {name}; an admin writes it."
        )
    text = command.new_text(content)
    if (was := desk.commands.of_text(text)) is not None:
        text = command.body_of(was)
    await _put(tx, context.inbox.id, name, text)
    await tx.audit.add(desk.now(), context.who, f"inbox {context.inbox.id}: added snippet {name}")
    return f"Kept: !snippet {name} shows it in any conversation of {context.inbox.name}."


async def browse(tx: Tx, desk: Desk, context: CommandContext) -> Answer:
    """`!snippets`: list all snippets; with a name, show that one in full."""
    known = await tx.snippets.all(context.inbox.id)
    name = context.rest.strip().casefold()
    if name and name not in known:
        raise Refused(f"There is no snippet {name[:40]}; there {_list_text(known)}.")
    if not known:
        return "No snippets yet. As a reply to a message, !snippet add NAME keeps its text."
    if name:
        body, formatted = (
            f"{name}:\n{known[name]}",
            (f"<strong>{name}</strong><blockquote>{from_text(known[name])}</blockquote>"),
        )
    else:
        rows = [(each, " ".join(known[each].split())[:80]) for each in list(known)[:SHOWN]]
        body = "\n".join(f"{each}: {line}" for each, line in rows)
        items = "".join(f"<li><strong>{each}</strong>: {from_text(line)}</li>"
                        for each, line in rows)  # fmt: skip
        formatted = f"<ul>{items}</ul>"
    content = render.text_message(body, formatted, notice=True)
    return content


async def list_(tx: Tx, desk: Desk, asked: Request) -> str:
    """In the control room: list every snippet and the inbox it belongs to."""
    lines = []
    for inbox, label in ((SHARED, "all inboxes"), *((i, i) for i in desk.settings.inboxes)):
        lines += [
            f"{name} · {label} · {' '.join(text.split())[:80]}"
            for name, text in (await tx.snippets.own(InboxId(inbox))).items()
        ]
    variables = ", ".join(f"{{{name}}}" for name in texts.VARIABLES)
    lines = lines or ["No snippets yet: !snippet add NAME [INBOX], the text on the next lines."]
    return "\n".join((*lines, f"Variables: {variables}; a fallback stands behind |, like"
                      " {first_name|there}."))  # fmt: skip


async def add(tx: Tx, desk: Desk, asked: Request) -> str:
    name, inbox, text = _said(desk, asked)
    if name in await tx.snippets.own(inbox):
        raise Refused(f"There is a snippet {name} already; !snippet edit changes it.")
    return await _write(tx, desk, asked, name, inbox, text, "added")


async def edit(tx: Tx, desk: Desk, asked: Request) -> str:
    name, inbox, text = _said(desk, asked)
    await _there(tx, name, inbox)
    return await _write(tx, desk, asked, name, inbox, text, "changed")


async def remove(tx: Tx, desk: Desk, asked: Request) -> str:
    name, inbox, _ = _said(desk, asked)
    await _there(tx, name, inbox)
    await tx.snippets.remove(inbox, name)
    await tx.audit.add(desk.now(), asked.who, f"{_scope_text(inbox)}: removed snippet {name}")
    return f"Snippet {name} is removed."


async def _there(tx: Tx, name: str, inbox: InboxId) -> None:
    if name not in await tx.snippets.own(inbox):
        raise Refused(
            f"There is no snippet {name} of {_scope_text(inbox)}; !snippet list shows them."
        )


def _scope_text(inbox: InboxId) -> str:
    return f"inbox {inbox}" if inbox else "all inboxes"


async def _write(
    tx: Tx, desk: Desk, asked: Request, name: str, inbox: InboxId, text: str, what: str
) -> str:
    await _put(tx, inbox, name, text)
    await tx.audit.add(desk.now(), asked.who, f"{_scope_text(inbox)}: {what} snippet {name}")
    return f"Snippet {name} is {what}, for {_scope_text(inbox)}."


async def _put(tx: Tx, inbox: InboxId, name: str, text: str) -> None:
    """Store a snippet. Raises Refused for a text that is empty, too long, or has an unknown
    variable."""
    text = text.strip()
    if not text:
        raise Refused("A snippet needs a text, on the lines below its name.")
    if len(text) > texts.MAX_LENGTH:
        raise Refused(f"A snippet has {texts.MAX_LENGTH} characters at most.")
    if wrong := texts.unknown(text):
        known = ", ".join(f"{{{each}}}" for each in texts.VARIABLES)
        raise Refused(f"{{{wrong[0]}}} is no variable; there are {known}. Nothing was changed.")
    await tx.snippets.put(inbox, name, text)


def _named(text: str) -> str:
    name = text.strip().casefold()
    if NAME.fullmatch(name) is None or name in RESERVED:
        raise Refused(
            f"{text[:40] or 'Nothing'} is no name for a snippet: use letters, digits and -."
        )
    return name


def _said(desk: Desk, asked: Request) -> tuple[str, InboxId, str]:
    """Parse `NAME [INBOX]` and the lines below into (name, inbox, text). Raises Refused."""
    first, _, text = asked.rest.partition("\n")
    words = first.split()
    if not 1 <= len(words) <= 2:
        raise Refused("Say its name, and an inbox if it is for one only: !snippet add NAME [INBOX],"
                      " the text on the next lines.")  # fmt: skip
    inbox = InboxId(words[1].casefold()) if len(words) > 1 else SHARED
    if inbox and inbox not in desk.settings.inboxes:
        raise Refused(f"There is no inbox {words[1][:40]}; there are"
                      f" {', '.join(desk.settings.inboxes)}.")  # fmt: skip
    return _named(words[0]), inbox, text


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "snippet",
        Role.CONVERSATION,
        "NAME [send]",
        "Show a standard response as a draft, or send it at once.",
        use,
        needs=frozenset({Needs.TARGET, Needs.SENDER_NAME}),
    ),
    CommandSpec(
        "snippet add",
        Role.CONVERSATION,
        "NAME",
        "As a reply to an agent's message: keep its text as a standard response of this inbox.",
        use,
        needs=frozenset({Needs.TARGET, Needs.SENDER_NAME}),
    ),
    CommandSpec(
        "snippets",
        Role.CONVERSATION,
        "[NAME]",
        "List the standard responses, or show one in full.",
        browse,
    ),
    CommandSpec(
        "snippets",
        Role.QUEUE,
        "[NAME]",
        "List the standard responses, or show one in full.",
        browse,
    ),
)


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "snippet list",
        Role.CONTROL,
        "",
        "List all standard responses, and the variables they can contain.",
        list_,
    ),
    CommandSpec(
        "snippet add",
        Role.CONTROL,
        "NAME [INBOX]",
        "Add a standard response, with its text on the lines below, for all inboxes or for one.",
        add,
    ),
    CommandSpec(
        "snippet edit",
        Role.CONTROL,
        "NAME [INBOX]",
        "Replace the text of a standard response, in the same way.",
        edit,
    ),
    CommandSpec(
        "snippet remove",
        Role.CONTROL,
        "NAME [INBOX]",
        "Remove a standard response.",
        remove,
    ),
)
