"""Texts of the control room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.chat.render import clock
from bridge.config.inbox import Inbox
from bridge.model.job import TITLES
from bridge.model.oversight import AuditEntry, Finding, Grade, JobStatus
from bridge.model.task import ReadEventAgain, ReceiveMail, Task

STOPS = "(Just answer here; ? explains, back goes back, stop ends.)"
BEFORE_RESTORE = (
    "Not done: this was said before a backup was restored. Say it again if it still counts."
)
REDACTED = (
    "🔒 Your message is being redacted, for it may hold a password. Nothing else was done with it."
)


NO_RULES = "No rules yet. !rule add INBOX, and on the lines below what docs/rules.md shows."
RULE_USAGE = (
    "Say the inbox, and the rule on the lines below:\n!rule add support\nname: invoices\n"
    "when: {subject: invoice}\nthen: {tag: billing}"
)


def rehearsed(name: str, looked: int, lines: Sequence[str]) -> str:
    """Report of what rules would have done with the last mails."""
    many = "1 mail" if looked == 1 else f"{looked} mails"
    if not lines:
        return f"{name}: of the last {many} no rule holds for any."
    return "\n".join((f"{name}: of the last {many} rules hold for {len(lines)}", *lines))


def inbox_line(id: str, name: str, address: str, state: str, source: str) -> str:
    """`support · Support <support@example.com> · live · config.yaml`."""
    return f"{id} · {name} <{address}> · {state} · {source}"


def complete(inbox: Inbox, prefix: str) -> str:
    """Tells that a draft inbox is complete, and what can be done with it."""
    id = inbox.id
    login = f" First, {prefix}inbox login {id} logs it in." if inbox.grants else ""
    if inbox.http is not None:
        login += f" {prefix}inbox hook {id} gives the address to which its mail is posted."
    elif inbox.imap is None and inbox.receives:
        login += f" {prefix}inbox forward {id} gives the address to which its mail is forwarded."
    return (
        f"Draft {id} is complete.{login} {prefix}inbox test {id} tries it, {prefix}inbox show {id}"
        f" lists what is set, {prefix}inbox publish {id} takes it live."
    )


def published(inbox: Inbox, people: str, prefix: str) -> str:
    ways = []
    if inbox.sources or inbox.http is not None:
        ways.append("mail that arrives from now on becomes rooms")
    if inbox.sends:
        ways.append("agents can answer" if inbox.receives else "agents can write, with !compose")
    return (
        f"{inbox.name} <{inbox.address}> is live: {' and '.join(ways) or 'it has no servers yet'}."
        f" Invited to its queue room: {people}. {prefix}agent add @who {inbox.id} invites more."
    )


def removal(inbox: Inbox, conversations: int, prefix: str) -> str:
    """The question before an inbox is removed."""
    rooms = " and the queue room"
    if conversations:
        rooms = (f", the queue room, {_count(conversations, 'conversation')} with their rooms and"
                 f" mail ({prefix}export {inbox.id} saves them as a file)")  # fmt: skip
    return (
        f"Remove {inbox.name} <{inbox.address}>? Mail is then neither read nor sent, what is still"
        f" on its way out is stopped, and its passwords are deleted. What stays: the"
        f" mailbox{rooms}.\n{prefix}yes removes it, {prefix}no keeps it."
    )


def draft_removal(id: str, prefix: str) -> str:
    """The question before a draft inbox is deleted."""
    return (f"Throw draft {id} away? What was set for it is deleted, its passwords, too; nothing of"
            f" it is live.\n{prefix}yes throws it away, {prefix}no keeps it.")  # fmt: skip


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def audit(deeds: Sequence[AuditEntry], now: float) -> str:
    """The answer to `!audit`, newest first."""
    lines = [f"{clock(deed.at, now)} · {deed.who} · {deed.what}" for deed in deeds]
    return "\n".join(lines) or "Nothing was done yet."


def testing(inbox: Inbox, findings: Sequence[Finding], *, done: bool) -> str:
    """The answer to `!inbox test`, while it runs and at its end."""
    lines = [f"{finding.grade} {finding.text}" for finding in findings]
    if not done:
        return "\n".join((f"Testing {inbox.id} <{inbox.address}> …", *lines))
    grades = [finding.grade for finding in findings]
    verdict = "everything works"
    if Grade.BAD in grades:
        verdict = "something does not work"
    elif not findings:
        verdict = "it has neither an incoming nor an outgoing server"
    elif Grade.WARNING in grades:
        verdict = "it works, with remarks"
    return "\n".join((f"Test of {inbox.id} <{inbox.address}>: {verdict}", *lines))


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h`, `2 days`."""
    for unit, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit or (unit == 60 and seconds >= 60):
            return f"{seconds // unit:.0f} {name}"
    return f"{max(0, seconds):.0f} s"


def queue(
    counts: Mapping[str, int],
    waiting: Sequence[JobStatus[Task]],
    dead: Sequence[JobStatus[Task]],
    now: float,
    prefix: str,
) -> str:
    """The answer to `!queue`."""
    some = {kind: count for kind, count in counts.items() if kind not in ("dead", "event")}
    if not some and not dead:
        return "Nothing waits and nothing failed."
    lines = []
    if some:
        what = ", ".join(f"{count} × {TITLES.get(kind, kind)}" for kind, count in some.items())
        lines.append(f"Waiting: {what}")
    for job in waiting:
        if job.error:
            next_ = "now" if job.running else clock(job.run_after, now)
            lines.append(f"· {job.id} {_summary_line(job)}: {job.error[:200]}; next try {next_}")
    if dead:
        lines.append("Failed permanently:")
        lines += [f"· {job.id} {_summary_line(job)}: {job.error[:200]}" for job in dead]
        lines.append(f"{prefix}retry gives all of them new tries, {prefix}retry NUMBER one.")
    return "\n".join(lines)


def _summary_line(job: JobStatus[Task]) -> str:
    where = ""
    kind, _, rest = job.lane.partition(":")
    if kind == "conversation":
        where = f" in #{rest.partition(':')[0]}"
    elif kind in ("inbox", "queue", "space", "copy"):
        where = f" for {rest.partition(':')[0]}"
    return f"{TITLES.get(job.kind, job.kind)}{where}"


def quarantine(
    entries: Sequence[tuple[JobStatus[ReceiveMail], str, float, tuple[str, str, str]]],
    parked: Sequence[JobStatus[ReadEventAgain]],
    now: float,
    prefix: str,
) -> str:
    """The answer to `!quarantine list`."""
    if not entries and not parked:
        return "Nothing is in quarantine."
    lines = []
    if entries:
        count = _count(len(entries), "mail")
        lines.append(f"{count} could not be taken in; the bytes of each are kept.")
    for job, inbox, at, (sender, subject, _) in entries:
        lines.append(f"{job.id} · {inbox} · {clock(at, now)} · {sender} · {subject[:80]}")
        lines.append(f"  {job.error[:200]}")
    if parked:
        lines.append(f"{_count(len(parked), 'Matrix event')} could not be handled.")
    lines += [
        f"{job.id} · {_event(job.task)} · {clock(job.run_after, now)} · {job.error[:200]}"
        for job in parked
    ]
    lines.append(f"{prefix}quarantine show, retry or drop NUMBER")
    return "\n".join(lines)


def _event(task: ReadEventAgain) -> str:
    return f"{task.type or 'event'} of {task.sender or 'nobody named'}"


def parked(job: JobStatus[Task], task: ReadEventAgain, now: float) -> str:
    """The answer to `!quarantine show` for an event."""
    return "\n".join((
        f"Event {job.id}, heard of {clock(job.run_after, now)}: {_event(task)}",
        f"Room: {task.room_id or 'not named'}", f"Id: {task.event_id or 'not named'}",
        f"Why: {job.error[:500]}",
        "What it says is not kept here; the homeserver has it, and retry reads it again.",
    ))  # fmt: skip


def dropping(what: str, number: int, prefix: str) -> str:
    """The question before something is dropped from quarantine."""
    lost = (
        "It will never become a room; it stays in the mailbox it came from."
        if what == "mail"
        else "Whatever it asked for is not done."
    )
    return f"Drop {what} {number}? {lost} {prefix}yes drops it, {prefix}no keeps it."


def quarantined(
    job: JobStatus[ReceiveMail],
    inbox: str,
    at: float,
    shown: tuple[str, str, str],
    size: int,
    now: float,
) -> str:
    """The answer to `!quarantine show` for a mail. `shown` is (sender, subject, text)."""
    sender, subject, text = shown
    return "\n".join((
        f"Mail {job.id} to {inbox}, arrived {clock(at, now)}, {size} bytes",
        f"From: {sender}", f"Subject: {subject}", f"Why: {job.error[:500]}", "", text,
    ))  # fmt: skip


def restored(backup_at: float | None, asked: int, now: float) -> str:
    """The message to the control room after a restore, sent once."""
    of = f" of {clock(backup_at, now)}" if backup_at else ""
    text = f"⚠️ The bridge runs on a restored backup{of}."
    if asked:
        text += (f" {_count(asked, 'mail')} that may have left since then"
                 f" {'is' if asked == 1 else 'are'} asked about in the rooms.")  # fmt: skip
    return (f"{text} Commands written since are asked about before anything is sent. Rooms made"
            " since then are not known any more; their mail comes again from the mailbox, under new"
            " numbers. What was said in this room since is not done; say it again.")  # fmt: skip


def exporting(what: str) -> str:
    return f"Collecting the mails of {what} …"


def exported(name: str, mails: int, missing: int) -> str:
    """The message when an export is finished."""
    text = f"{_count(mails, 'mail')} of {name} exported."
    if missing:
        text += (f" Left out: {_count(missing, 'mail')} whose bytes are not kept any more"
                 " (retention) or are over the upload limit.")  # fmt: skip
    return text


def erasure(address: str, numbers: Sequence[int], elsewhere: int, ghost: str, prefix: str) -> str:
    """The question before an address is erased."""
    shown = ", ".join(f"#{number}" for number in numbers[:20])
    more = f" and {len(numbers) - 20} more" if len(numbers) > 20 else ""
    what = [f"{_count(len(numbers), 'conversation')} ({shown}{more})"] if numbers else []
    if elsewhere:
        what.append(f"{_count(elsewhere, 'mail')} in conversations of others or in quarantine")
    return (
        f"Erase {address}? {' and '.join(what)}: every message there is redacted, mails and files"
        " are deleted here, agents lose the rooms. This cannot be undone.\nWhat stays: the mails in"
        " the mailbox itself, mails of others that name the address or went to it, too, in their"
        " conversations, what your team wrote about it elsewhere, backups, files in the"
        " homeserver's media store and what it redacted (for some days), and the Matrix id"
        f" {ghost}.\n{prefix}yes erases, {prefix}no keeps everything."
    )


def erased(conversations: int, elsewhere: int) -> str:
    """Counts of what was erased, without naming the person."""
    text = _count(conversations, "conversation")
    return f"{text}, {_count(elsewhere, 'mail')} elsewhere" if elsewhere else text
