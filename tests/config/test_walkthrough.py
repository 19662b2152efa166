"""The questions of `!inbox add`: which are asked, what they explain, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.config import walkthrough
from bridge.config.inbox_form import SECRETS
from bridge.model import Refused

LONG = ("mx.acme.example:1143", "starttls", "secret", "mx.acme.example:2525", "implicit", "ok")
"""The answers of the longest walk, up to the agents."""
ADDRESS = {"address": "support@acme.example"}


def asked(values: dict[str, Any], secrets: dict[str, str]) -> str:
    found = walkthrough.next_question(values, secrets)
    return found.key if found is not None else ""


def walk(*answers: str) -> tuple[list[str], dict[str, Any], dict[str, str]]:
    """(keys asked for, values, secrets) after these answers; a password is kept as it is."""
    values, secrets, keys = dict[str, Any](ADDRESS), dict[str, str](), []
    for text in answers:
        question = walkthrough.next_question(values, secrets)
        assert question is not None
        keys.append(question.key)
        same = question.suggestion and walkthrough.word(text) in walkthrough.YES
        if question.key in SECRETS and not same:
            secrets[question.key] = text
        else:
            values = walkthrough.answer(values, question, text)
    return [*keys, asked(values, secrets)], values, secrets


@pytest.mark.parametrize(
    ("answers", "keys"),
    [
        # the port tells how it is encrypted, or nobody has to say
        (("mx.acme.example", "secret", "smtp.acme.example", "ok", "-"),
         ["imap.host", "imap.password", "smtp.host", "smtp.password", "agents", ""]),
        (("mx.acme.example:143", "secret", "smtp.acme.example:587", "ok", "-"),
         ["imap.host", "imap.password", "smtp.host", "smtp.password", "agents", ""]),
        (("mx.acme.example:993", "secret", "none", "-"),
         ["imap.host", "imap.password", "smtp.host", "agents", ""]),
        # another port does not
        ((*LONG, "-"),
         ["imap.host", "imap.tls", "imap.password", "smtp.host", "smtp.tls", "smtp.password",
          "agents", ""]),
        # a provider has one account for both, a local relay none
        (("gmail", "secret"), ["imap.host", "imap.password", "agents"]),
        (("mx.acme.example", "secret", "local", "-"),
         ["imap.host", "imap.password", "smtp.host", "agents", ""]),
        # another password for sending
        (("mx.acme.example", "secret", "smtp.acme.example", "other", "-"),
         ["imap.host", "imap.password", "smtp.host", "smtp.password", "agents", ""]),
    ],
)  # fmt: skip
def test_what_is_asked(answers: tuple[str, ...], keys: list[str]) -> None:
    assert walk(*answers)[0] == keys


def test_the_password_for_sending_is_that_of_the_mailbox_or_its_own() -> None:
    _, values, secrets = walk("mx.acme.example", "one", "smtp.acme.example", "same", "-")
    assert values["smtp"]["user"] == "support@acme.example"
    assert secrets == {"imap.password": "one"}
    _, values, secrets = walk("mx.acme.example", "one", "smtp.acme.example", "two", "-")
    assert secrets == {"imap.password": "one", "smtp.password": "two"}


def test_back_takes_the_last_answer_back_and_no_other() -> None:
    answers = LONG
    for count in range(1, len(answers) + 1):
        keys, values, secrets = walk(*answers[:count])
        found = walkthrough.before(values, secrets, keys[-1])
        assert found is not None
        assert asked(*found) == keys[-2]
        before = walk(*answers[: count - 1])[1:]
        assert (found[0] | {"smtp": None}) == (before[0] | {"smtp": None}) or count > 3
    assert walkthrough.before(ADDRESS, {}, "imap.host") is None


def test_every_question_explains_itself() -> None:
    answers = LONG
    for count in range(len(answers) + 1):
        _, values, secrets = walk(*answers[:count])
        question = walkthrough.next_question(values, secrets)
        assert question is not None
        assert len(question.more) > 40
        assert question.more != question.text


@pytest.mark.parametrize("text", ["?", "？", "!no", " !NO ", "back", "!back", "stop", "ok", "same"])
def test_words_of_the_walk_are_no_answer_to_store(text: str) -> None:
    assert walkthrough.word(text)


@pytest.mark.parametrize("text", ["!nope", "secret?", "no way", "?!", "", "geheim", "!help"])
def test_other_words_may_be_a_password(text: str) -> None:
    assert walkthrough.word(text) == ""


def test_a_password_is_never_sent_in_the_clear_to_another_machine() -> None:
    question = walkthrough.next_question(*walk("mx.acme.example:1143")[1:])
    assert question is not None
    with pytest.raises(Refused, match="in the clear"):
        walkthrough.answer(walk("mx.acme.example:1143")[1], question, "none")
    with pytest.raises(Refused, match="implicit, starttls or none"):
        walkthrough.answer(walk("mx.acme.example:1143")[1], question, "ssl")
