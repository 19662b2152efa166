"""`!inbox add`: asks one question at a time until a new inbox (a draft) is complete."""

from __future__ import annotations

from dataclasses import replace

from bridge.chat import admin as texts
from bridge.chat import setting
from bridge.config import inbox_form, questions, shared, walkthrough
from bridge.config.inbox_form import Values
from bridge.config.step import Question
from bridge.desk.admin import question, sealed
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.model import InboxId, Permanent, Refused, Role, key_of
from bridge.model.oversight import InboxState, StoredInbox
from bridge.ports import Tx

FIRST = "This is the first question."


async def add(tx: Tx, desk: Desk, asked: Request) -> str:
    """Start setting up an inbox, or continue, and ask for the first missing setting."""
    if len(asked.words) > 1:
        raise Refused("Say one address: !inbox add support@example.com")
    if asked.words:
        return await _begin(tx, desk, asked, asked.words[0])
    await question.ask(tx, asked.who, "address", "", desk.now())
    first = walkthrough.next_question({}, {})
    return f"{first.text if first else ''}\n{texts.STOPS}"


async def _begin(tx: Tx, desk: Desk, asked: Request, address: str) -> str:
    values = questions.with_address({}, address)
    _refuse_taken(desk, address)
    known = await tx.inboxes.all()
    begun = "nothing happens with it before it is published."
    before = [each for each in known if _address(each) == key_of(address)]
    if before and before[0].state is InboxState.DRAFT:
        return await _ask_next(tx, desk, asked, before[0])
    if before:
        kept = {key: value for key, value in before[0].values.items() if key != "paused"}
        stored = replace(before[0], state=InboxState.DRAFT, values=kept, changed_at=desk.now())
        begun = "it was here before, and its conversations come back with it."
    else:
        taken = frozenset({*desk.settings.inboxes, *(each.id for each in known)})
        id_ = inbox_form.id_for(address, taken)
        stored = StoredInbox(id_, InboxState.DRAFT, values, {}, desk.now())
    await tx.inboxes.save(stored)
    await tx.audit.add(desk.now(), asked.who, f"inbox {stored.id}: began a draft")
    return f"Draft {stored.id} begun; {begun}\n{await _ask_next(tx, desk, asked, stored)}"


def _clients(desk: Desk) -> dict[str, str]:
    """The provider of each OAuth2 client of the configuration."""
    return {name: client.provider for name, client in desk.settings.oauth.items()}


def _address(stored: StoredInbox) -> str:
    return key_of(str(stored.values.get("address", "")))


def _refuse_taken(desk: Desk, address: str) -> None:
    for inbox in desk.settings.inboxes.values():
        if key_of(address) in inbox.own:
            raise Refused(f"{address} belongs to inbox {inbox.id} already; !inbox show {inbox.id}")


def _next(desk: Desk, stored: StoredInbox) -> Question | None:
    """The next question of the walk-through; what its domain says is not asked."""
    whole = desk.directory.whole(stored)
    return walkthrough.next_question(whole.values, whole.secrets, _clients(desk))


async def _ask_next(tx: Tx, desk: Desk, asked: Request, stored: StoredInbox) -> str:
    """Ask the next question of the walk-through; after the last, say how to publish the inbox."""
    next_ = _next(desk, stored)
    if next_ is None:
        await question.forget(tx, asked.who)
        try:
            inbox = desk.directory.built(stored)
        except Permanent as error:
            return f"{error}"
        return texts.complete(inbox, desk.settings.command_prefix)
    await question.ask(tx, asked.who, next_.key, stored.id, desk.now())
    return f"{next_.text}\n{texts.STOPS}"


async def answered(tx: Tx, desk: Desk, asked: Request, about: question.Asked) -> str | None:
    """Take an admin's text as the answer to the open question `about`, or ask the same again. None
    where the inbox is not being set up any more."""
    word = walkthrough.word(asked.rest, desk.settings.command_prefix)
    if word in walkthrough.STOP:
        await question.forget(tx, asked.who)
        kept = f" Draft {about.about} is kept; !inbox set {about.about} KEY VALUE goes on."
        return f"Stopped.{kept if about.about else ''}"
    if not about.about:  # the question for the address: no inbox is stored yet
        first = walkthrough.next_question({}, {})
        if word and first is not None:
            said = first.more if word in walkthrough.EXPLAIN else FIRST
            return _again(said, first)
        try:
            return await _begin(tx, desk, asked, asked.rest)
        except Refused as error:
            return f"{sealed.mask_all(str(error), asked.rest)}\n{texts.STOPS}"
    stored = await tx.inboxes.get(InboxId(about.about))
    if stored is None or stored.state is not InboxState.DRAFT:
        await question.forget(tx, asked.who)
        return None
    next_ = _next(desk, stored)
    if next_ is None or next_.key != about.what:
        return await _ask_next(tx, desk, asked, stored)
    if word in walkthrough.EXPLAIN:
        return _again(next_.more, next_)
    if word in walkthrough.BACK:
        return await _back(tx, desk, asked, stored, next_)
    if word == "no" or (word and not next_.suggestion):
        return _again(f"“{word}” is no answer to that.", next_)
    try:
        changed = _with(desk, stored, next_, asked.rest)
    except Refused as error:
        if asked.rest in desk.directory.opened(stored.secrets, all_=False).values():
            await sealed.redact_secret(tx, desk, asked.event)  # a password once more
        return _again(sealed.mask_all(str(error), asked.rest), next_)
    await tx.inboxes.save(changed)
    if next_.key in changed.secrets:
        await tx.audit.add(desk.now(), asked.who, f"inbox {stored.id}: set {next_.key}")
        return f"{setting.KEPT_ENCRYPTED}\n{await _ask_next(tx, desk, asked, changed)}"
    return await _ask_next(tx, desk, asked, changed)


def _again(said: str, asks: Question) -> str:
    return f"{said}\n{asks.text}\n{texts.STOPS}"


async def _back(tx: Tx, desk: Desk, asked: Request, stored: StoredInbox, next_: Question) -> str:
    """Take the last answer back and ask for it again."""
    domain = desk.directory.shared(stored)
    found = walkthrough.before(
        stored.values, stored.secrets, next_.key, _clients(desk),
        lambda values, secrets: (
            shared.merged(values, secrets, domain.values, domain.secrets)
            if domain is not None else (values, secrets)
        ),
    )  # fmt: skip
    if found is None:
        return _again(FIRST, next_)
    values, secrets = found
    stored = replace(stored, values=values, secrets=secrets, changed_at=desk.now())
    await tx.inboxes.save(stored)
    return await _ask_next(tx, desk, asked, stored)


def _with(desk: Desk, stored: StoredInbox, next_: Question, text: str) -> StoredInbox:
    is_same = bool(next_.suggestion) and walkthrough.word(text) in walkthrough.YES
    if next_.key in inbox_form.SECRETS and not is_same:
        if not text.isprintable():
            raise Refused("A password has no line break; give it alone.")
        sealed = {**stored.secrets, next_.key: desk.directory.vault.seal(text)}
        return replace(stored, secrets=sealed, changed_at=desk.now())
    values = walkthrough.answer(desk.directory.whole(stored).values, next_, text)
    return replace(stored, values=_own(desk, stored, values), changed_at=desk.now())


def _own(desk: Desk, stored: StoredInbox, values: Values) -> Values:
    """The values that are the inbox's own, and not its domain's."""
    domain = desk.directory.shared(stored)
    return shared.own(values, domain.values) if domain is not None else values


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "inbox add",
        Role.CONTROL,
        "[ADDRESS]",
        "Set up an inbox: asks one question at a time, and makes a draft that !inbox publish "
        "puts live.",
        add,
    ),
)
