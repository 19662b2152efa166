"""`!reply`, `!draft`, `!send` and 📧: each command or reaction creates one delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.chat import command, status
from bridge.chat.command import CLIP, MAIL
from bridge.desk.command import CommandSpec, Needs, ReactionSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk, mail_shown
from bridge.desk.outbound import dispatch, recipients, unseen, writing
from bridge.desk.rooms.refresh import refresh
from bridge.mail.compose import reply_subject
from bridge.model import (
    Conversation,
    Delivery,
    EventId,
    Form,
    Letter,
    MailId,
    Mxid,
    Recipient,
    Refused,
    Role,
)
from bridge.model.delivery import Plan
from bridge.ports import Tx

SPLIT_FIRST = (
    "Say !split as a reply to the mail: it gets a room of its own, to be answered there. Nothing"
    " was sent."
)


async def reply(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!reply TEXT`: answer the mail it replies to, otherwise the latest mail of a person."""
    return await _answer(tx, desk, context, "reply")


async def draft(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!draft TEXT`: like `!reply`, but the mail is previewed first and waits for a yes."""
    return await _answer(tx, desk, context, "draft")


async def _answer(tx: Tx, desk: Desk, context: CommandContext, word: str) -> str | None:
    answer = await of_text(tx, desk, context, word)
    return await order(tx, desk, context, replace(answer, is_draft=word == "draft"))


async def of_text(tx: Tx, desk: Desk, context: CommandContext, word: str = "reply") -> Answer:
    """The answer whose text is that of the command itself. Raises Refused where there is none."""
    files = await tx.pins.of(context.conversation.number, context.who)
    target = command.replied_to(context.event.content)
    letter = None
    if target is not None:
        letter = await _letter(tx, context, target)
        content = _content(context)
        if letter is None and content is None:
            raise Refused("The message you reply to is gone; nothing was sent.")
        if letter is None and content is not None and command.is_file(content):
            await _written_by_agent(tx, context)
            files = [target, *files]
    files = [*dispatch.captioned_file(context), *files]
    if not context.rest and not files:
        raise Refused(
            f"Nothing to send: write the text after {desk.settings.command_prefix}{word}."
        )
    return Answer(context.event.id, files, letter)


async def send(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!send` as a reply, or 📧: send the message it points at, as last edited. As the caption of a
    file: send that file."""
    own = dispatch.captioned_file(context)
    pointed = context.points_at
    if own and (pointed is None or await _letter(tx, context, pointed) is not None):
        return await _answer(tx, desk, context, "send")
    return await order(tx, desk, context, await of_message(tx, desk, context))


async def of_message(tx: Tx, desk: Desk, context: CommandContext) -> Answer:
    """The answer that is the message which a command points at. Raises Refused where it is none of
    an agent's."""
    own = dispatch.captioned_file(context)
    if context.points_at is None:
        raise Refused("Use it as a reply to the message that you want to send.")
    content = _content(context)
    if content is None:
        raise Refused("That message is gone; nothing was sent.")
    await _written_by_agent(tx, context)
    files = [*own, *await tx.pins.of(context.conversation.number, context.who)]
    prefix = desk.settings.command_prefix
    said = desk.commands.of_text(command.new_text(content))
    if said is not None and said.name not in writing.WORDING[Form.REPLY]:
        raise Refused(f"{prefix}{said.name} is a command, not a message to send.")
    if command.is_file(content):
        dispatch.refuse_large(content, context.inbox)
        files = [context.points_at, *(file for file in files if file != context.points_at)]
    elif not (said.rest if said else command.new_text(content)).strip():
        raise Refused("That message has no text to send.")
    replied = command.replied_to(content)
    letter = await _letter(tx, context, replied) if replied else None
    author = Mxid(str((context.target or {}).get("sender", "")))
    return Answer(context.points_at, files, letter, author=author)


async def attach(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!attach` as a reply to a file or as its caption, or 📎: attach a file to this agent's next
    email."""
    content, file = _content(context), context.points_at
    if own := dispatch.captioned_file(context):
        content, file = context.event.content, own[0]
    elif file is None or content is None or not command.is_file(content):
        raise Refused("Use this as a reply to a file, or as its caption.")
    else:
        await _written_by_agent(tx, context)
    await tx.pins.add(context.conversation.number, context.who, file, context.event.id)
    name = str(content.get("filename") or content.get("body") or "The file")[:100]
    dispatch.refuse_large(content, context.inbox)
    return f"📎 {name} goes with your next email."


def _content(context: CommandContext) -> dict[str, object] | None:
    return command.latest(context.target) if context.target is not None else None


async def _letter(tx: Tx, context: CommandContext, event: EventId) -> Letter | None:
    """The mail that an event shows; None for another event. Raises Refused where the mail belongs
    to another conversation."""
    mail = mail_shown(await tx.posts.by_event(event))
    letter = await tx.mails.letter(MailId(mail)) if mail is not None else None
    if letter is not None and letter.conversation != context.conversation.number:
        raise Refused("That mail belongs to another conversation; nothing was sent.")
    return letter


async def _written_by_agent(tx: Tx, context: CommandContext) -> None:
    author = (context.target or {}).get("sender", "")
    if not await tx.rooms.is_agent(context.inbox.id, author):
        raise Refused("That was not written by an agent; use !reply.")


AT_ONCE = Plan(0.0, "")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that an agent wants to send."""

    source: EventId
    """The message that is sent, or the command that asks for it."""
    files: Sequence[EventId]
    letter: Letter | None
    """The mail that is answered; None for the latest mail of a person."""
    is_draft: bool = False
    plan: Plan = AT_ONCE
    text: str = ""
    """The text to send, where it is not the text of the source."""
    author: Mxid | None = None
    """The author of the source, where the author is not the agent who sends it."""


async def order(tx: Tx, desk: Desk, context: CommandContext, answer: Answer) -> str | None:
    """Create the delivery of an answer. Returns what to tell the agent, None for nothing."""
    conversation, inbox, now = context.conversation, context.inbox, desk.now()
    dispatch.require_can_send(inbox)
    if conversation.is_overflow:
        raise Refused(SPLIT_FIRST)
    latest = await tx.mails.latest(conversation.number)
    # where no person wrote, answer the newest mail of a machine
    chosen, letter = (
        answer.letter,
        answer.letter or latest or await tx.mails.newest(conversation.number),
    )
    addressed = await recipients.of(tx, desk, inbox, conversation, letter)
    if not addressed.recipients:
        raise Refused(addressed.question or "Nobody to send to; add an address with !to +ADDRESS.")
    question = addressed.question or await unseen.question_if_colleague_answered(tx, desk, context)
    if latest is not None and (chosen is None or chosen.id != latest.id):
        question = question or await unseen.question_if_unread(
            tx, context.who, conversation, latest, context.event.at
        )
    plan = answer.plan
    wanted = Delivery(
        inbox=inbox.id,
        conversation=conversation.number,
        source=answer.source,
        requested_by=context.event.id,
        agent=context.who,
        answers=letter.id if letter else None,
        files=tuple(answer.files),
        subject=reply_subject(_subject(conversation, letter, addressed.recipients)),
        run_at=max(now + inbox.undo, plan.at),
        planned_for=plan.at,
        detail=" · ".join(filter(None, (plan.text, addressed.note))),
        created_at=now,
        recipients=addressed.recipients,
        text=answer.text,
        author=answer.author,
        form=Form.SNIPPET if answer.text else Form.REPLY,
    )
    delivery = await dispatch.create_delivery(
        tx, desk, context, wanted, question, is_draft=answer.is_draft
    )
    if delivery is None:
        live = await tx.deliveries.live(answer.source)
        return (
            status.text(live, "", now) if live and live.requested_by != context.event.id else None
        )
    await tx.pins.drop(files=answer.files)
    if conversation.assignee is None:
        conversation = await tx.conversations.update(
            conversation.number, assignee=context.who, changed_at=now
        )
        await refresh(tx, desk, conversation)
    return None


def _subject(conversation: Conversation, letter: Letter | None, to: Sequence[Recipient]) -> str:
    """The subject to answer under. For a forwarded mail: the subject of the customer's mail, unless
    the answer also goes to the colleague who forwarded it."""
    if letter is None or conversation.renamed:
        return conversation.subject
    if letter.forwarded_subject and all(each.address.key != letter.sender.key for each in to):
        return letter.forwarded_subject
    return letter.subject or conversation.subject


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "reply",
        Role.CONVERSATION,
        "TEXT",
        "Email TEXT to the customer. Markdown works, and many lines. As a reply to a mail "
        "it answers that mail, as a reply to your file it sends the file too. It may be the "
        "caption of a file.",
        reply,
        needs=frozenset({Needs.TARGET}),
    ),
    CommandSpec(
        "send",
        Role.CONVERSATION,
        "",
        "As a reply to an agent's message: email that message. The same as reacting with 📧.",
        send,
        needs=frozenset({Needs.TARGET}),
    ),
    CommandSpec(
        "attach",
        Role.CONVERSATION,
        "",
        "As a reply to a file, or as its caption: keep it for your next email. The same as "
        "reacting with 📎.",
        attach,
        needs=frozenset({Needs.TARGET}),
    ),
    CommandSpec(
        "draft",
        Role.CONVERSATION,
        "TEXT",
        "Show the whole email as the customer would get it, and send it when somebody "
        "says yes. An edit of your message changes it.",
        draft,
        needs=frozenset({Needs.TARGET}),
    ),
)
REACTIONS = (
    ReactionSpec(
        MAIL, send, help="on an agent's message or file: email it", needs=frozenset({Needs.TARGET})
    ),
    ReactionSpec(
        CLIP, attach, help="on a file: keep it for your next email", needs=frozenset({Needs.TARGET})
    ),
)
