"""Every commit and every effect outside the process has its failpoint, each of some use."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import partial
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


Functions = dict[str, tuple[list[ast.Call], list[ast.Call]]]


def effects(path: Path, is_effect: Callable[[ast.Call], bool]) -> Functions:
    """By function: the effects that stand within a failpoint, and those that do not. What surrounds
    an effect is `async with`; calls among its items, behind the failpoint, are within it, too."""
    found: Functions = {}

    def walk(node: ast.AST, function: str, guarded: bool) -> None:
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
            function, guarded = node.name, False
        if isinstance(node, ast.Call) and is_effect(node):
            found.setdefault(function, ([], []))[0 if guarded else 1].append(node)
        if isinstance(node, ast.AsyncWith):
            within = guarded
            for item in node.items:
                walk(item.context_expr, function, within)
                within = within or ast.unparse(item.context_expr).startswith("failpoint.around(")
            for each in node.body:
                walk(each, function, within)
            return
        for child in ast.iter_child_nodes(node):
            walk(child, function, guarded)

    walk(ast.parse(path.read_text()), "", False)
    return found


def is_call_of(call: ast.Call, name: str) -> bool:
    return isinstance(call.func, ast.Attribute | ast.Name) and name in (
        getattr(call.func, "attr", ""), getattr(call.func, "id", "")
    )  # fmt: skip


def is_write(call: ast.Call) -> bool:
    """Whether a call of our client changes something at the homeserver."""
    if not is_call_of(call, "request") or not call.args:
        return False
    return ast.unparse(call.args[0]).removeprefix("Method.") in WRITES


def test_every_write_to_the_homeserver_stands_within_a_failpoint() -> None:
    """A helper may write for those who call it, when each of them does so within one."""
    checked = 0
    for path in sorted((BRIDGE / "matrix").glob("*.py")):
        bare = {"ping"}  # it asks the homeserver to call us; nothing is kept
        helpers: set[str] = set()
        for function, (guarded, unguarded) in effects(path, is_write).items():
            checked += len(guarded) + len(unguarded)
            if unguarded and function not in bare:
                helpers.add(function)
        for helper in helpers:
            callers = effects(path, partial(is_call_of, name=helper))
            assert callers, f"{path.name}: {helper} writes outside a failpoint"
            for function, (_, unguarded) in callers.items():
                assert not unguarded, f"{path.name}: {function} calls {helper} outside a failpoint"
    assert checked > 15


def test_a_write_that_loses_its_failpoint_is_found(tmp_path: Path) -> None:
    """Of every file that writes to the homeserver: the test above is no ornament."""
    for name in ("homeserver.py", "media.py"):
        source = (BRIDGE / "matrix" / name).read_text()
        bare = re.sub(r"async with failpoint\.around\(.+?\):", "if True:", source)
        assert bare != source
        copy = tmp_path / name
        copy.write_text(bare)
        assert all(not guarded for guarded, _ in effects(copy, is_write).values())


@pytest.mark.parametrize(
    ("file", "effect", "function"),
    [
        ("smtp/sender.py", "dial_with", "_dialled"),
        ("oauth/client.py", "_ask", "_post"),
        ("smtp/sender.py", "data", "_data"),
        ("imap/connection.py", "STORE", "store_seen"),
        ("imap/connection.py", "APPEND", "append"),
        ("web/webhook.py", "post", "deliver"),
    ],
)
def test_every_effect_on_other_servers_stands_within_a_failpoint(
    file: str, effect: str, function: str
) -> None:
    def is_it(call: ast.Call) -> bool:
        return is_call_of(call, effect) or (is_call_of(call, "command") and literal(call) == effect)

    guarded, unguarded = effects(BRIDGE / file, is_it)[function]
    assert guarded
    assert not unguarded


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
