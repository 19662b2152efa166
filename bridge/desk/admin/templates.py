"""`!template`: header, greeting, signature and footer of an inbox's mails, or of a domain's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from bridge.chat import file_event, setting
from bridge.chat import template as texts
from bridge.config.inbox import Inbox
from bridge.config.inbox_form import RESET
from bridge.desk.admin import domains, inboxes, testing
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.desk.outbound import sample
from bridge.desk.rooms.refresh import answer_with
from bridge.mail import compose, dimensions
from bridge.mail.template import KINDS
from bridge.model import (
    CONTROL,
    Attachment,
    Content,
    Job,
    Permanent,
    PostKey,
    Refused,
    Role,
    Shows,
    Wanted,
)
from bridge.model.admin_task import PreviewTemplates
from bridge.model.oversight import StoredDomain, StoredInbox
from bridge.ports import Tx

FENCE = re.compile(r"\A```[a-z]*\n(.*)\n```\Z", re.DOTALL)
USAGE = f"Say !template set INBOX KIND, the text on the next lines. Kinds: {', '.join(KINDS)}."
Owner = Inbox | StoredInbox | StoredDomain


async def show(tx: Tx, desk: Desk, asked: Request) -> Content | str:
    """`!template show INBOX|DOMAIN`: each template in full, and whose it is."""
    owner = await _owner(tx, desk, asked)
    own = _own(owner)
    shared: Mapping[str, object] = {}
    domain = desk.directory.shared(owner) if isinstance(owner, StoredInbox) else None
    if domain is not None:
        shared = domain.values
    name = owner.name if isinstance(owner, StoredDomain) else owner.id
    of = domain.name if domain is not None else ""
    return texts.shown(name, own, shared, of)


async def set_(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!template set INBOX|DOMAIN KIND` with the text on the lines below."""
    owner = await _owner(tx, desk, asked)
    kind, text = _kind_and_text(asked.rest)
    if not text:
        raise Refused(f"The text is missing. {USAGE}")
    return await _change(tx, desk, asked, owner, kind, text)


async def clear(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!template clear INBOX|DOMAIN KIND`."""
    owner = await _owner(tx, desk, asked)
    kind, _ = _kind_and_text(asked.rest)
    return await _change(tx, desk, asked, owner, kind, RESET)


async def _change(tx: Tx, desk: Desk, asked: Request, owner: Owner, kind: str, text: str) -> str:
    is_cleared = text == RESET
    if isinstance(owner, StoredDomain):
        said = await domains.change(tx, desk, asked, owner, kind, text)
        holds = said.partition("\n")[2]
        return texts.changed(owner.name, kind, cleared=is_cleared, more=holds)
    if isinstance(owner, Inbox):
        raise Refused(setting.in_file(owner.id))
    await inboxes.change(tx, desk, asked, owner, kind, text)
    more = f"!template preview {owner.id} shows a mail with it."
    if is_cleared:
        domain = desk.directory.shared(owner)
        has = domain is not None and domain.values.get(kind)
        more = f"That of {domain.name} holds now." if domain is not None and has else ""
    return texts.changed(owner.id, kind, cleared=is_cleared, more=more)


async def preview(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!template preview INBOX`: a job draws the picture, which takes a moment."""
    found = await inboxes.named(tx, desk, asked, 1)
    testing.built(desk, found)
    await tx.jobs.add(PreviewTemplates(asked.event.id, inbox=found.id))
    return "Drawing …"


async def draw(desk: Desk, job: Job[PreviewTemplates]) -> None:
    """Show a sample mail of the inbox as text, as a picture, and as the bytes that would leave: on
    a page, or as a file where there are no pages."""
    event = job.task.event
    async with desk.store.reading() as tx:
        found = await inboxes.found(tx, desk, job.task.inbox)
    if found is None:
        raise Permanent(f"inbox {job.task.inbox} is gone")
    inbox = testing.built(desk, found)
    mail = sample.mail(inbox, desk.now())
    link, files, caption = "", [], ""
    if desk.settings.public_url:
        links = desk.template_links
        link = links.url_of(desk.settings.public_url, links.sign(inbox.id))
    else:
        raw = await asyncio.to_thread(compose.build, mail)
        files.append((f"{inbox.id}.eml", "message/rfc822", raw))
    try:
        files.append((f"{inbox.id}.png", "image/png", await desk.draw(compose.page(mail))))
    except Permanent as error:
        caption = str(error)
    contents = []
    for name, type_, data in files:
        mxc = await desk.chat.upload_media(name, type_, data)
        attachment = Attachment(0, name, type_, len(data))
        contents.append(file_event.content(attachment, mxc, len(data), dimensions.of(data)))
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        await answer_with(tx, desk, CONTROL, event, texts.preview(inbox, mail, link, caption))
        for number, content in enumerate(contents):
            key = PostKey.other(Shows.REPORT, event, number)
            await tx.posts.put(Wanted.message(key, CONTROL, desk.bot, content))


async def _owner(tx: Tx, desk: Desk, asked: Request) -> Owner:
    """The inbox or the domain that the first word names. Raises Refused."""
    if not asked.words:
        raise Refused("Say whose: an inbox, or a domain like acme.com. !inbox list shows them.")
    if "." in asked.words[0]:
        return await domains.found(tx, asked.words[0])
    return await inboxes.named(tx, desk, asked, 1)


def _own(owner: Owner) -> dict[str, str]:
    """The templates that an inbox or a domain has itself."""
    if isinstance(owner, Inbox):
        return {kind: getattr(owner, kind) for kind in KINDS if getattr(owner, kind)}
    return {kind: str(owner.values[kind]) for kind in KINDS if owner.values.get(kind)}


def _kind_and_text(rest: str) -> tuple[str, str]:
    """(kind, text) of `OWNER KIND TEXT`, the text without a code fence. Raises Refused."""
    parts = rest.split(maxsplit=2)
    kind = parts[1].casefold() if len(parts) > 1 else ""
    if kind not in KINDS:
        raise Refused(f"There is no template {parts[1][:30] if len(parts) > 1 else ''}. {USAGE}")
    text = parts[2].strip() if len(parts) > 2 else ""
    fenced = FENCE.match(text)
    return kind, fenced[1] if fenced else text


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "template show",
        Role.CONTROL,
        "INBOX|DOMAIN",
        "Show the header, greeting, signature and footer of an inbox's mails, or of a domain's.",
        show,
    ),
    CommandSpec(
        "template set",
        Role.CONTROL,
        "INBOX|DOMAIN KIND",
        "Set one of them, with its text on the lines below: Markdown or HTML, and variables like "
        "{{ agent.name }}.",
        set_,
    ),
    CommandSpec(
        "template preview",
        Role.CONTROL,
        "INBOX",
        "Show a mail as a customer would get it, as a picture and as the bytes that leave.",
        preview,
    ),
    CommandSpec(
        "template clear",
        Role.CONTROL,
        "INBOX|DOMAIN KIND",
        "Take one of them away; an inbox then has that of its domain.",
        clear,
    ),
)
