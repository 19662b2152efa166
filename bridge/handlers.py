"""The handler of each kind of job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from bridge.desk.admin import (
    access,
    domains,
    erase,
    export,
    login,
    report,
    restored,
    rulebook,
    status,
    templates,
    testing,
)
from bridge.desk.desk import Desk
from bridge.desk.events import converse, listen
from bridge.desk.inbound import draft_mail, receive, webhook
from bridge.desk.outbound import deliver, outage, preview
from bridge.desk.rooms import post, upload
from bridge.desk.team import conversation_room, direct, setup
from bridge.desk.triage import search, state
from bridge.model import Job, admin_task, task

T = TypeVar("T", bound=task.Task)


def _act(
    kind: type[T], act: Callable[[Desk, Job[T]], Awaitable[None]]
) -> tuple[type[task.Task], Callable[[Desk, Job[Any]], Awaitable[None]]]:
    """A task type and its handler; the signature lets mypy check that they match."""
    return kind, act


HANDLERS = dict((
    _act(task.ReceiveMail, receive.receive),
    _act(task.MakeRoom, conversation_room.make_conversation_room),
    _act(task.RemakeRoom, conversation_room.make_conversation_room),
    _act(task.SetUp, setup.setup),
    _act(task.FillRoom, setup.fill),
    _act(task.MakeDirect, direct.make_direct_room),
    _act(task.BringPost, post.post),
    _act(task.UploadFile, upload.upload),
    _act(task.HandleEvent, converse.converse),
    _act(task.ReadEventAgain, listen.retry_parked),
    _act(task.ShowPreview, preview.preview),
    _act(task.Deliver, deliver.deliver),
    _act(task.TrySending, outage.try_again),
    _act(task.CopyToSent, deliver.copy),
    _act(admin_task.TestInbox, testing.test),
    _act(admin_task.AfterRestore, restored.restored),
    _act(admin_task.Export, export.export),
    _act(admin_task.Purge, erase.purge),
    _act(admin_task.ForgetPerson, erase.erase_person),
    _act(admin_task.RedactMentions, erase.redact_mentions),
    _act(admin_task.EmptyLog, erase.empty_log),
    _act(task.Wake, state.wake),
    _act(admin_task.IndexWords, search.index),
    _act(admin_task.MakeReport, report.make),
    _act(task.CallHook, webhook.hook),
    _act(admin_task.RehearseRules, rulebook.rehearse),
    _act(admin_task.TellOfFailure, status.tell_failure),
    _act(admin_task.RenewGrant, access.renew),
    _act(admin_task.TellOfGrant, access.tell),
    _act(admin_task.BeginLogin, login.begin),
    _act(admin_task.FinishLogin, login.finish),
    _act(admin_task.WaitForCode, login.wait_for_code),
    _act(admin_task.ShowDraftMail, draft_mail.show),
    _act(admin_task.LookUpDomain, domains.look_up),
    _act(admin_task.PreviewTemplates, templates.draw),
))  # fmt: skip
