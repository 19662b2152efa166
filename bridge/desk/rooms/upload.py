"""Uploads the files of a mail to the media repository, one job for each."""

from __future__ import annotations

from dataclasses import replace

from bridge.chat import file_event
from bridge.desk.desk import Desk
from bridge.mail import dimensions
from bridge.mail.limits import size
from bridge.model import (
    Attachment,
    Content,
    Job,
    LostLease,
    Permanent,
    Post,
    Shows,
    Transient,
    Wanted,
)
from bridge.model.mail import WHOLE_MAIL, WHOLE_TEXT
from bridge.model.task import UploadFile
from bridge.ports import Tx


async def upload(desk: Desk, job: Job[UploadFile]) -> None:
    """Upload one file, then show it in its post. Reserves an mxc address, stores it, then uploads
    to it: a repeat after a crash uses the same address."""
    async with desk.store.reading() as tx:
        file = await tx.posts.file(job.task.post)
        post = await tx.posts.get(job.task.post)
        if file is None or post is None:
            raise Permanent(f"the file of post {job.task.post} is not there")
    attachment = file.attachment
    try:
        data = await _bytes(desk, file.raw, attachment.part)
        limit = desk.settings.limits.upload_size or await desk.chat.upload_limit()
        if len(data) > limit:
            await _give_up(desk, job, post, attachment, limit)
            return
        mxc = file.mxc
        if not mxc:
            mxc = await desk.chat.reserve_media()
        if mxc and not file.mxc:
            async with desk.store.transaction("media-made") as tx:
                await tx.posts.set_mxc(post.id, mxc, done=False)
        type_ = file_event.safe_type(attachment.type)
        mxc = await desk.chat.fill_media(mxc, attachment.name, type_, data)
        content = file_event.content(attachment, mxc, len(data), dimensions.of(data))
    except Transient:
        await _show_placeholder(
            desk, job, post, attachment, "not uploaded yet, the bridge keeps trying"
        )
        raise
    except LostLease:
        raise
    except Exception as error:
        # an address that was reserved long ago may be gone: reserve another one next time
        problem = f"could not be uploaded: {error}"
        await _show_placeholder(desk, job, post, attachment, problem, forget=True)
        raise
    async with desk.store.transaction("uploaded") as tx:
        await tx.posts.set_mxc(post.id, mxc, done=True)
        wanted = Wanted.message(post.key, post.place, post.sender, content)
        await tx.posts.put(replace(wanted, is_deferred=post.key.shows is Shows.FILE))
        await _show_in_order(tx, post)
        await _elsewhere(tx, post, content)
        await tx.jobs.finish(job)


async def _show_in_order(tx: Tx, post: Post) -> None:
    """Send the uploaded files of a mail in the mail's order, up to the first that is not uploaded
    and has no placeholder either."""
    if post.key.mail is not None:
        for each, lane in await tx.posts.files_in_turn(post.key.mail, post.place):
            await tx.posts.order(each, lane)


async def _elsewhere(tx: Tx, post: Post, content: Content) -> None:
    """Show the file also in the rooms to which its mail was copied meanwhile."""
    for other in await tx.posts.of_mail(post.key.mail) if post.key.mail is not None else ():
        copy = other.key.conversation
        if copy is not None and other.key == post.key.copy_in(copy):
            await tx.posts.put(Wanted.message(other.key, other.place, other.sender, content))


async def _bytes(desk: Desk, raw: int, part: int) -> bytes:
    async def load() -> bytes:
        async with desk.store.reading() as tx:
            return await tx.mails.raw(raw)

    if part == WHOLE_MAIL:
        return await load()
    if part == WHOLE_TEXT:
        mail, body = await desk.reader.read(await load(), "", frozenset())
        return (body.whole or mail.text).encode()
    return await desk.reader.part(f"raw:{raw}", part, load)


async def _show_placeholder(
    desk: Desk,
    job: Job[UploadFile],
    post: Post,
    file: Attachment,
    problem: str,
    *,
    forget: bool = False,
) -> None:
    """Show a placeholder with the file's name and the problem; a later try replaces it. Raises
    LostLease where the conversation was erased meanwhile."""
    async with desk.store.transaction("placeholder") as tx:
        await tx.jobs.assert_leased(job)
        content = file_event.placeholder(file, problem)
        await tx.posts.put(Wanted.message(post.key, post.place, post.sender, content))
        if forget:
            await tx.posts.set_mxc(post.id, "", done=False)
        await _show_in_order(tx, post)


async def _give_up(
    desk: Desk, job: Job[UploadFile], post: Post, file: Attachment, limit: int
) -> None:
    problem = (
        f"over the homeserver's upload limit of {size(limit)}; the mail in the mailbox has"
        " it. An admin can raise max_upload_size in Synapse"
    )
    async with desk.store.transaction("placeholder") as tx:
        content = file_event.placeholder(file, problem)
        await tx.posts.put(Wanted.message(post.key, post.place, post.sender, content))
        await tx.posts.set_mxc(post.id, "", done=True)
        await _show_in_order(tx, post)
        await tx.jobs.finish(job)
