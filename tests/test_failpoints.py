"""Every commit and every effect outside the process has its failpoint, each of some use."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bridge import failpoint

BRIDGE = Path(failpoint.__file__).parent
SOURCES = [p for p in BRIDGE.rglob("*.py") if "demo" not in p.parts]
# Calls that change something outside, by the file that makes them. Reads need no failpoint.
WRITES = {"PUT", "POST", "DELETE"}


def literal(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def calls(path: Path, name: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
    ]


def test_every_transaction_names_a_commit_of_the_table() -> None:
    for path in SOURCES:
        for call in calls(path, "transaction"):
            if ast.unparse(call.func) in ("conn.wrapped.transaction", "raw.transaction"):
                continue  # the engine, which implements it
            where = f"{path.name}:{call.lineno}"
            assert literal(call) in failpoint.COMMITS, f"{where}: {ast.unparse(call)}"


def test_every_point_of_the_tables_is_passed_somewhere() -> None:
    used = {literal(call) for path in SOURCES for call in calls(path, "transaction")}
    assert set(failpoint.COMMITS) <= used, set(failpoint.COMMITS) - used
    around = {literal(call) for path in SOURCES for call in calls(path, "around")}
    assert set(failpoint.EFFECTS) == around


def test_every_write_to_the_homeserver_stands_within_a_failpoint() -> None:
    tree = ast.parse((BRIDGE / "matrix" / "homeserver.py").read_text())
    guarded: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncWith) and any(
            "failpoint.around" in ast.unparse(item.context_expr) for item in node.items
        ):
            guarded |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.request":
            method = ast.unparse(node.args[0]).removeprefix("Method.")
            if method in WRITES and "ping" not in ast.unparse(node):
                assert id(node) in guarded, f"line {node.lineno}: {ast.unparse(node)[:80]}"


@pytest.mark.parametrize(
    ("file", "effects"),
    [
        ("egress.py", {"_log_in", "data"}),
        ("imap/connection.py", {"STORE", "APPEND"}),
    ],
)
def test_every_effect_on_a_mail_server_stands_within_a_failpoint(
    file: str, effects: set[str]
) -> None:
    tree = ast.parse((BRIDGE / file).read_text())
    guarded = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncWith) and "failpoint.around" in ast.unparse(node)
    ]
    for effect in effects:
        assert any(effect in text for text in guarded), effect


def test_a_spec_names_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="no point 'nowhere:before'"):
        failpoint.arm("nowhere:before:1:kill9")
    with pytest.raises(ValueError, match="no action 'explode'"):
        failpoint.arm("receive:before:1:explode")
    failpoint.disarm()


async def test_the_nth_passage_acts_and_no_other() -> None:
    failpoint.arm("receive:before:2:raise")
    try:
        await failpoint.reach("receive:before")
        with pytest.raises(RuntimeError):
            await failpoint.reach("receive:before")
        await failpoint.reach("receive:before")
    finally:
        failpoint.disarm()
