"""Configuration: every mistake is named with its line, its key and a cure."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bridge.__main__ import main
from bridge.config.load import load, load_registration
from bridge.config.settings import ConfigError

GOOD = """\
homeserver:
  server_name: example.com
admins: ["@admin:example.com"]
inboxes:
  support:
    name: Support
    address: support@example.com
    imap: {host: imap.example.com, user: u, password: p}
    smtp: {host: smtp.example.com, user: u, password: p}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  server_name", "  server_nane", "2: homeserver.server_nane: unknown key; did you mean "
                                           "server_name?"),
        ("    name: Support", "    nmae: Support", "6: inboxes.support.nmae: unknown key"),
        ("    name: Support", "", "inboxes.support.name: missing"),
        ("admins:", "admin:", "3: admin: unknown key; did you mean admins?"),
        ('"@admin:example.com"', "admin", "3: admins.0: 'admin' is not a Matrix ID"),
        ("address: support@example.com", "address: support", "inboxes.support.address: 'support'"),
        ("password: p}\n    smtp", "}\n    smtp", "8: inboxes.support.imap: imap needs user and"),
        ("imap.example.com,", "imap.example.com, tls: none,", "would send the password to imap"),
        ("imap.example.com,", "imap.example.com, tls: maybe,", "8: inboxes.support.imap.tls"),
        ("password: p}\n    smtp", "password: {env: NOT_SET}}\n    smtp", "NOT_SET is not set"),
        ("    name: Support", '    name: Support\n    footer: "{{ agnt.name }}"',
         "7: inboxes.support.footer: it is no template: line 1: agnt.name is no variable"),
        ("    name: Support", "    name: Support\n    direction: out", "direction"),
        ("inboxes:", "inboxes: [", "not readable as YAML"),
        ("  support:", "  Sup port:", "use a-z, 0-9 and - only"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_mistake_ends_the_program_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, GOOD.replace("admins", "admns"))
    assert main(["run", "-c", str(path)]) == 2
    assert "did you mean admins?" in capsys.readouterr().err
    assert main(["run", "-c", str(tmp_path / "none.yaml")]) == 2
    assert "`postroom init` writes one" in capsys.readouterr().err


def test_secrets_come_from_files_and_the_environment_and_show_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAP_PASSWORD", "hunter2")
    (tmp_path / "smtp").write_text("hunter3\n")
    text = GOOD.replace("u, password: p}\n    smtp", "u, password: {env: IMAP_PASSWORD}}\n    smtp")
    text = text.replace("user: u, password: p}", f"user: u, password: {{file: {tmp_path}/smtp}}}}")
    settings = load(write(tmp_path, text))
    inbox = settings.inboxes["support"]  # type: ignore[index]  # InboxId is a str
    assert inbox.imap is not None
    assert inbox.smtp is not None
    assert inbox.imap.password.get_secret_value() == "hunter2"
    assert inbox.smtp.password.get_secret_value() == "hunter3"
    assert "hunter" not in repr(settings)


def test_two_inboxes_on_one_account_need_one_default(tmp_path: Path) -> None:
    second = GOOD.partition("inboxes:\n")[2].replace("support", "sales")
    with pytest.raises(ConfigError, match="give one default: true"):
        load(write(tmp_path, GOOD + second))
    twice = GOOD + GOOD.partition("inboxes:\n")[2].replace("  support:", "  again:")
    with pytest.raises(ConfigError, match="belongs to inbox support and to again"):
        load(write(tmp_path, twice))


def test_inboxes_share_a_server_by_an_anchor(tmp_path: Path) -> None:
    more = """  sales:
    name: Sales
    address: sales@example.com
    imap: {<<: *imap, user: sales}
"""
    settings = load(write(tmp_path, GOOD.replace("imap: {", "imap: &imap {") + more))
    sales = next(each for each in settings.inboxes.values() if each.name == "Sales")
    assert sales.imap is not None
    assert (sales.imap.host, sales.imap.user) == ("imap.example.com", "sales")


def test_init_writes_files_only_we_can_read_and_never_over_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["init", str(tmp_path), "--server-name", "hs.example", "--admin", "@a:hs.example"]
    assert main(arguments) == 0
    assert "app_service_config_files" in capsys.readouterr().out
    for name in ("config.yaml", "registration.yaml"):
        assert stat.S_IMODE(os.stat(tmp_path / name).st_mode) == 0o600
    settings = load(tmp_path / "config.yaml")
    registration = load_registration(settings)
    assert settings.admins == ("@a:hs.example",)
    assert len(registration.as_token.get_secret_value()) == 64
    assert main(arguments) == 2
    assert "is there already" in capsys.readouterr().err


def test_the_small_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, GOOD)
    assert main(["migrate", "-c", str(path)]) == 0
    assert main(["failpoints"]) == 0
    assert main(["version"]) == 0
    shown = capsys.readouterr().out
    assert "is at this version's schema" in shown
    assert "receive:before" in shown


def test_the_registration_is_written_again_from_the_config_with_its_tokens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["init", str(tmp_path), "--registration"]
    assert main(again) == 2  # there is no config.yaml
    assert main(["init", str(tmp_path), "--server-name", "hs.example"]) == 0
    before = load_registration(load(tmp_path / "config.yaml"))
    assert main(again) == 0
    assert "fits config.yaml already" in capsys.readouterr().out
    config = tmp_path / "config.yaml"
    config.write_text(
        config.read_text().replace('url: ""  ', "url: http://b:1").replace("email_", "post_")
    )
    assert main(again) == 0
    assert "url http://b:1, users @post_" in capsys.readouterr().out
    path = tmp_path / "registration.yaml"
    after = load_registration(load(config))
    assert (after.as_token, after.hs_token) == (before.as_token, before.hs_token)
    text = path.read_text()
    assert "url: http://b:1" in text
    assert "@post_.*:hs\\.example" in text
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    path.write_text("[]")
    assert main(again) == 2
    assert str(path) in capsys.readouterr().err
    path.unlink()
    assert main(again) == 0
    assert load_registration(load(config)).as_token != before.as_token
