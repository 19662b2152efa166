"""`!search` over mails and notes, `!note`, and the job that indexes mails from before search."""

from __future__ import annotations

from bridge.chat import command, listing
from bridge.desk.command import Answer, CommandSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.mail import search as words
from bridge.mail.charset import clean
from bridge.model import Event, EventId, Job, MailId, Passage, PostKey, Refused, Role, Shows
from bridge.model.admin_task import IndexWords
from bridge.ports import Store, Tx

SHOWN, BATCH = 20, 50
DONE = "words-indexed"
MAX_NOTE = 10_000
"""Characters of a note."""


async def search(tx: Tx, desk: Desk, context: CommandContext) -> Answer:
    """`!search WORDS`: show the newest mails and notes of this inbox that contain all words."""
    terms = words.terms(context.rest)
    if not terms:
        raise Refused('Say what to look for: !search refund, or !search "exact words".')
    total, found = await tx.passages.find(context.inbox.id, terms, SHOWN)
    if not found:
        return f"Nothing in {context.inbox.name} contains “{' '.join(context.rest.split())[:100]}”."
    rows = []
    for each in found:
        conversation = await tx.conversations.get(each.number)
        rows.append((conversation, await _event(tx, each), each, words.excerpt(each.text, terms)))
    content = listing.found(context.rest, rows, total, desk.server_name, desk.now())
    return content


async def _event(tx: Tx, found: Passage) -> EventId | None:
    """The event that shows a passage, in the room where its mail is now."""
    if found.mail is not None:
        shown = PostKey.of_mail(Shows.MAIL, found.mail)
        for key in (shown.copy_in(found.number), shown):
            post = await tx.posts.by_key(key)
            if post is not None:
                return post.event
    return found.event


async def note(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!note TEXT`: store a note for the search; it is never sent."""
    text = clean(context.rest).strip()[:MAX_NOTE]
    if not text:
        raise Refused("Say what to note: !note TEXT. Customers never see it.")
    now = desk.now()
    await tx.passages.add(
        context.conversation.number, context.who, now, text, event=context.event.id
    )
    return "📝 Noted: !search finds it. Customers never see it."


async def reworded(tx: Tx, desk: Desk, event: Event, source: EventId) -> None:
    """Index the new text of a note that its author edited, instead of the old text."""
    text = command.edited_text(event.content)
    said = desk.commands.of_text(text)
    original = await tx.events.get(source)
    if original is None or original.sender != event.sender:
        return
    number = await tx.passages.forget_note(source)
    if number is not None and said is not None and said.name == "note" and said.rest:
        text = clean(said.rest).strip()[:MAX_NOTE]
        await tx.passages.add(number, event.sender, desk.now(), text, event=source)


async def order_index(store: Store) -> None:
    """At every start: add the job that indexes mails from before search existed, until done."""
    async with store.transaction("setup") as tx:
        if await tx.settings.value(DONE) is None:
            await tx.jobs.add(IndexWords(0), "index")


async def index(desk: Desk, job: Job[IndexWords]) -> None:
    """Index the next batch of mails, and add a job for the following batch until none is left."""
    async with desk.store.reading() as tx:
        letters = await tx.passages.mails_not_indexed(MailId(job.task.after), BATCH)
    read = []
    for letter in letters:
        inbox = desk.settings.inboxes.get(letter.inbox)
        if inbox is None:
            continue
        async with desk.store.reading() as tx:
            raw = await tx.mails.raw(letter.raw) if letter.raw is not None else b""
        if raw:
            mail, body = await desk.reader.read(raw, inbox.authserv_id, inbox.own)
            read.append((letter, body.text, f"{mail.subject} {mail.sender}"))
    async with desk.store.transaction("setup") as tx:
        for letter, text, more in read:
            still = await tx.mails.letter(letter.id)
            if still is None or not still.sender.spec:  # erased meanwhile
                continue
            await tx.passages.add(
                still.conversation, str(letter.sender), letter.at, text, mail=letter.id, more=more
            )
        await tx.jobs.finish(job)
        if letters:
            await tx.jobs.add(IndexWords(letters[-1].id), "index")
        else:
            await tx.settings.set_value(DONE, str(desk.now()))


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "note",
        Role.CONVERSATION,
        "TEXT",
        "Save TEXT as an internal note that !search finds. All talk in a room is internal; a "
        "note is for what you want to find again.",
        note,
    ),
    CommandSpec(
        "search",
        Role.QUEUE,
        "WORDS",
        "Find mails and notes of this inbox that hold all WORDS, with links to the "
        'messages. "exact words" in quotes stay together.',
        search,
    ),
)
