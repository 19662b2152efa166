"""What stands in the files beside the code is true: examples, the command reference, the README."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from bridge.__main__ import main
from bridge.chat.command import CommandReader
from bridge.config import inbox_form
from bridge.config.inbox import Inbox
from bridge.config.init import config_text, registration_text
from bridge.config.load import load
from bridge.config.oauth import OAuthClient
from bridge.config.rule import EXAMPLE as EXAMPLE_RULE
from bridge.config.rule import Then, When
from bridge.config.rule import read as read_rules
from bridge.config.settings import Listener, Settings
from bridge.desk.events import commands

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "config.example.yaml"


def keys(model: type[BaseModel], path: str = "") -> set[str]:
    """Every key of the schema, dotted."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        if model in (Inbox, OAuthClient) and name == "id":
            continue
        inner = [*getattr(field.annotation, "__args__", ()), field.annotation]
        sections = [t for t in inner if isinstance(t, type) and issubclass(t, BaseModel)]
        found.add(f"{path}{name}")
        if name == "rules":  # a list; docs/rules.md has its keys
            continue
        for section in sections:
            middle = {Inbox: "support.", OAuthClient: "microsoft."}.get(section, "")
            found |= keys(section, f"{path}{name}.{middle}")
    return found


def written(data: Any, path: str = "") -> set[str]:
    found: set[str] = set()
    for key, value in data.items():
        if path not in ("inboxes.", "oauth."):
            found.add(f"{path}{key}")
        if isinstance(value, dict):
            found |= written(value, f"{path}{key}.")
    return found


def test_the_example_names_every_key_of_the_schema_and_no_other() -> None:
    data = YAML(typ="safe").load(EXAMPLE.read_text())
    assert written(data) == keys(Settings)


def test_the_page_of_rules_names_every_key_and_its_example_is_one() -> None:
    page = (ROOT / "docs" / "rules.md").read_text()
    for part in (When, Then):
        for name, field in part.model_fields.items():
            assert f"`{field.alias or name}`" in page, name
    example = page.partition("!rule add support\n")[2].partition("```")[0]
    (rule,) = read_rules(example)
    assert rule.then.assign == "@bob:example.com"


def test_the_example_loads(tmp_path: Path) -> None:
    copy = tmp_path / "config.yaml"  # loading makes a key beside it
    copy.write_text(EXAMPLE.read_text())
    settings = load(copy)
    assert settings.inboxes["support"].address == "support@example.com"  # type: ignore[index]  # InboxId is a str


def test_the_examples_are_what_init_writes() -> None:
    assert EXAMPLE.read_text() == config_text("example.com", "@admin:example.com", example=True)
    registration = registration_text(
        "example.com", Listener(), as_token="AS_TOKEN", hs_token="HS_TOKEN"
    )
    assert (ROOT / "registration.yaml.example").read_text() == registration


def test_sender_and_bot_are_two_users() -> None:
    data = YAML(typ="safe").load((ROOT / "registration.yaml.example").read_text())
    assert data["sender_localpart"] == "email_sender"
    assert data["rate_limited"] is False
    assert data["receive_ephemeral"] is True
    assert re.fullmatch(data["namespaces"]["users"][0]["regex"], "@email_bot:example.com")


def test_the_command_reference_is_made_from_the_commands() -> None:
    assert (ROOT / "docs" / "agents.md").read_text() == commands.agents_page()
    assert (ROOT / "docs" / "admins.md").read_text() == commands.admins_page()


def test_the_example_of_a_rule_is_one() -> None:
    ((name, rule),) = [(each.name, each) for each in read_rules(EXAMPLE_RULE)]
    assert (name, rule.then.assign) == ("invoices", "@alice:example.com")


def test_no_two_commands_of_a_room_are_one_and_each_can_be_said() -> None:
    names = [(spec.room, spec.name) for spec in commands.ALL]
    assert len(names) == len(set(names))
    for spec in commands.ALL:
        said = CommandReader("!", commands.WORDS).of_text(f"!{spec.usage}")
        assert said is not None, spec
        assert said.name == spec.word
        assert spec.help.endswith("."), spec


def test_the_operating_guide_names_every_command_of_the_shell(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    words = re.findall(r"^    ([a-z-]+) ", capsys.readouterr().out, re.MULTILINE)
    text = (ROOT / "docs" / "operating.md").read_text()
    for word in set(words) - {"demo", "failpoints", "version"}:
        assert f"`postroom {word}" in text, word


PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))
SETUPS = [path for path in PAGES if "/setup/" in path]


@pytest.mark.parametrize("path", ["README.md", *PAGES])
def test_every_file_the_docs_link_to_is_there(path: str) -> None:
    text = (ROOT / path).read_text()
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / path).parent.joinpath(target).exists(), target


def test_what_the_guide_for_trouble_quotes_is_what_the_bridge_says() -> None:
    said = " ".join(
        " ".join(re.sub(r'"\s*\n?\s*f?"', "", path.read_text()).split())
        for path in (ROOT / "bridge").rglob("*.py")
    )
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert len(rows) > 20
    for row in rows:
        for quote in re.findall(r"`([^`]+)`", row.split(" | ")[1]):
            assert quote in said, quote


@pytest.mark.parametrize("path", [*SETUPS, "docs/ingress.md", "docs/oauth.md"])
def test_what_the_pages_of_ways_in_let_say_and_write_is_taken(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / path).read_text()
    reader = CommandReader("!", commands.WORDS)
    for said in re.findall(r"`(![a-z][^`]*)`", text):
        command = reader.of_text(said)
        assert command is not None, said
        assert command.name in {spec.word for spec in commands.ALL}, said
        if found := re.fullmatch(r"!inbox set \S+ (\S+) .*", said):
            assert found[1] in (*inbox_form.KEYS, *inbox_form.SECRETS), said
    for number, block in enumerate(re.findall(r"^ *```yaml\n(.*?)^ *```", text, re.M | re.S)):
        for name in re.findall(r"env: (\w+)", block):
            monkeypatch.setenv(name, "x" * 20)
        whole = YAML(typ="safe").load(
            config_text("example.com", "@admin:example.com", example=False)
        )
        part = YAML(typ="safe").load(textwrap.dedent(block))
        file = tmp_path / f"{number}.yaml"
        YAML().dump(whole | part, file)
        load(file)
