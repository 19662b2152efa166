"""The texts of mails and notes, for the search."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.mail.search import LONGEST, fold
from bridge.model import EventId, InboxId, Letter, MailId, Number, Passage
from bridge.store.connection import Connection
from bridge.store.mails import letter_of


class Passages:
    """Rows of `passage`; the database maintains the full-text index."""

    def __init__(self, conn: Connection, *, postgres: bool) -> None:
        self._conn = conn
        self._postgres = postgres

    async def add(
        self,
        number: Number,
        who: str,
        at: float,
        text: str,
        *,
        mail: MailId | None = None,
        event: EventId | None = None,
        more: str = "",
    ) -> None:
        """Index a text; `more` is indexed, too, but not shown: a subject, names of files."""
        if mail is not None:  # the mail may be indexed already
            await self._conn.execute("DELETE FROM passage WHERE mail = $1", mail)
        await self._conn.execute(
            "INSERT INTO passage (number, mail, event, who, at, text, folded)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            number,
            mail,
            event,
            who,
            at,
            text[:LONGEST],
            fold(f"{more}\n{who}\n{text}"),
        )

    async def of_mail(self, mail: MailId) -> str:
        """The indexed text of a mail; empty if it was forgotten."""
        text = await self._conn.fetchval("SELECT text FROM passage WHERE mail = $1", mail)
        return str(text or "")

    async def find(
        self, inbox: InboxId, terms: Sequence[Sequence[str]], limit: int
    ) -> tuple[int, list[Passage]]:
        """(how many passages contain every term, the newest of them). The last word of each term
        also matches as a prefix."""
        wanted = self._tsquery(terms) if self._postgres else self._fts5(terms)
        hits = await self._conn.fetch(
            f"WITH hit AS MATERIALIZED ({self._matching}) SELECT hit.id, COUNT(*) OVER () AS total"
            " FROM hit JOIN conversation ON conversation.number = hit.number"
            " WHERE conversation.inbox = $1 AND contact <> ''"
            f" ORDER BY hit.id DESC LIMIT {int(limit)}",
            inbox,
            wanted,
        )
        return (hits[0]["total"] if hits else 0), [await self._get(hit["id"]) for hit in hits]

    async def _get(self, id_: int) -> Passage:
        row = await self._conn.fetchrow("SELECT * FROM passage WHERE id = $1", id_)
        return Passage(
            Number(row["number"]), None if row["mail"] is None else MailId(row["mail"]),
            None if row["event"] is None else EventId(row["event"]), row["who"], row["at"],
            row["text"],
        )  # fmt: skip

    @property
    def _matching(self) -> str:
        """The subquery on the full-text index; kept apart so that the planner runs it first."""
        if self._postgres:
            return "SELECT id, number FROM passage WHERE words @@ to_tsquery('simple', $2)"
        return (
            "SELECT passage.id, passage.number FROM passage_words CROSS JOIN passage"
            " WHERE passage.id = passage_words.rowid AND passage_words MATCH $2"
        )

    @staticmethod
    def _fts5(terms: Sequence[Sequence[str]]) -> str:
        return " AND ".join(f'"{" ".join(words)}"*' for words in terms)

    @staticmethod
    def _tsquery(terms: Sequence[Sequence[str]]) -> str:
        phrases = ("<->".join((*words[:-1], f"{words[-1]}:*")) for words in terms)
        return " & ".join(f"({phrase})" for phrase in phrases)

    async def forget_note(self, event: EventId) -> Number | None:
        """Delete a note; returns its conversation, None where there was no note."""
        number = await self._conn.fetchval(
            "DELETE FROM passage WHERE event = $1 AND mail IS NULL RETURNING number", event
        )
        return None if number is None else Number(number)

    async def scrub(self) -> None:
        """Remove the text of deleted passages from the index (SQLite FTS5 keeps it until then)."""
        if not self._postgres:
            await self._conn.execute(
                "INSERT INTO passage_words (passage_words) VALUES ('optimize')"
            )

    async def relocate(self, mail: MailId, to: Number) -> None:
        await self._conn.execute("UPDATE passage SET number = $2 WHERE mail = $1", mail, to)

    async def mails_not_indexed(self, after: MailId, limit: int) -> list[Letter]:
        """Mails after the id `after` that are not indexed yet, oldest first: those stored before
        the search existed."""
        rows = await self._conn.fetch(
            "SELECT * FROM mail WHERE id > $1 AND raw IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM passage WHERE passage.mail = mail.id)"
            " ORDER BY id LIMIT $2",
            after,
            limit,
        )
        return [letter_of(row) for row in rows]
