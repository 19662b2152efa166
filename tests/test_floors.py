"""The house: a file imports only from floors below, and no file or function grows too large."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import bridge

ROOT = Path(bridge.__file__).parent
FILES = sorted(p for p in ROOT.rglob("*.py") if p.name != "__init__.py")
FLOORS: dict[str, float] = {
    "model": 0, "failpoint": 1, "logs": 1, "metrics": 1, "mail": 1, "config": 1.2, "chat": 1.5,
    "ports": 2, "desk": 3, "worker": 4, "store": 4, "matrix": 4, "imap": 4, "smtp": 4,
    "ingress": 4, "web": 4, "sandbox": 4, "oauth": 4, "dns": 4,
    "operate": 5, "handlers": 5, "app": 6, "demo": 7, "__main__": 8,
}  # fmt: skip
"""Of each file or folder: it imports from lower ones alone."""
WAYS_IN = {("ingress", "imap"), ("ingress", "smtp")}
"""The folders of the fourth floor that another one of it may use."""
DESK: dict[str, float] = {
    "rooms": 1, "triage": 2, "team": 2.5, "outbound": 3, "inbound": 4, "admin": 4, "events": 5,
}  # fmt: skip
"""The same inside the desk; its own files lie below its folders."""
PURE_LIBRARIES = {"nh3", "selectolax", "inscriptis", "markdown_it", "cchardet",
                  "authres", "itsdangerous", "pydantic", "ruamel", "structlog",
                  "cryptography", "prometheus_client", "tnefparse", "icalendar",
                  "flufl", "idna", "PIL", "dkim"}  # fmt: skip
ADAPTER_LIBRARIES = {"mautrix", "aiohttp", "aiosmtplib", "aioimaplib", "asyncpg", "aiosmtpd",
                     "aiosqlite", "pymap"}  # fmt: skip
IO_MODULES = {"socket", "sqlite3", "time", "asyncio", "subprocess", "os", "random"}
MAX_LINES, MAX_LINES_BESIDE, MAX_FUNCTION, MAX_PARAMETERS = 300, 400, 60, 7
TABLES = {"bridge.store.tables"}
"""Files that are one table, and may be as long as it is."""


def floor(module: str) -> float:
    return FLOORS[package_of(module)]


def desk_floor(module: str) -> float:
    """Of a file of the desk, inside it."""
    parts = module.split(".")
    return DESK[parts[2]] if len(parts) > 3 else 0


def module_of(path: Path) -> str:
    return ".".join(("bridge", *path.relative_to(ROOT).with_suffix("").parts))


MODULES = {module_of(path) for path in FILES}


def package_of(module: str) -> str:
    return module.split(".")[1]


def imports(path: Path) -> set[str]:
    """The modules that a file imports, each by its full name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = named & MODULES
            found |= modules or {node.module}
    return found


def ours(path: Path) -> Iterator[tuple[str, str]]:
    """(a file, what of ours it imports)."""
    here = module_of(path)
    for other in imports(path):
        if other.startswith("bridge."):
            yield here, other


def test_a_file_imports_only_from_floors_below_its_own() -> None:
    for here, other in chain.from_iterable(map(ours, FILES)):
        pair = package_of(here), package_of(other)
        allowed = floor(other) < floor(here) or pair[0] == pair[1] or pair in WAYS_IN
        assert allowed, f"{here} (floor {floor(here)}) imports {other} (floor {floor(other)})"


def test_the_desk_has_floors_of_its_own() -> None:
    for here, other in chain.from_iterable(map(ours, FILES)):
        if package_of(here) == package_of(other) == "desk":
            mine, its = desk_floor(here), desk_floor(other)
            same = mine == its and (mine == 0 or here.split(".")[2] == other.split(".")[2])
            assert its < mine or same, f"{here} imports {other}"


def test_each_folder_is_on_a_floor_and_none_is_missing() -> None:
    assert {package_of(module_of(path)) for path in FILES} == set(FLOORS)
    inside = {module_of(path).split(".")[2] for path in FILES if path.parent.parent.name == "desk"}
    assert inside == set(DESK)


def test_the_pure_floors_import_pure_libraries_only() -> None:
    for path in FILES:
        here = module_of(path)
        for other in imports(path):
            top = other.split(".")[0]
            if floor(here) <= 3:
                assert top not in ADAPTER_LIBRARIES, f"{here} imports {other}"
            elif top in ADAPTER_LIBRARIES:
                assert floor(here) >= 4, f"{here} imports {other}"


def test_mail_and_chat_see_no_clock_socket_or_database() -> None:
    for path in FILES:
        here = module_of(path)
        if package_of(here) in ("mail", "chat", "model"):
            met = imports(path) & IO_MODULES
            # these format a moment they are given; they never ask for the present one
            if here in ("bridge.chat.render", "bridge.mail.page"):
                met -= {"time"}
                assert "time.time()" not in path.read_text()
            assert not met, f"{here} imports {met}"


def test_no_file_or_function_grows_too_large() -> None:
    beside = [path for part in ("tests", "bench") for path in (ROOT.parent / part).rglob("*.py")]
    for path in [*FILES, *beside]:
        text = path.read_text()
        most = MAX_LINES if path in FILES and module_of(path) not in TABLES else MAX_LINES_BESIDE
        assert len(text.splitlines()) <= most, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= MAX_FUNCTION, f"{path}:{node.lineno} {node.name}: {length} lines"


def test_no_function_takes_more_than_seven_values() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = node.args
                every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
                names = [each.arg for each in every if each.arg not in ("self", "cls")]
                assert len(names) <= MAX_PARAMETERS, f"{path}:{node.lineno} {node.name}: {names}"


def test_only_model_post_makes_the_keys_of_posts() -> None:
    """`store/posts` reads them from a row's columns; whoever wants one asks a class method."""
    for path in FILES:
        if module_of(path) not in ("bridge.model.post", "bridge.store.posts"):
            assert "PostKey(" not in path.read_text(), path


def test_the_desk_knows_the_types_of_what_it_handles() -> None:
    """But for the JSON of events, which `listen` is the first to look at."""
    for path in FILES:
        here = module_of(path)
        if package_of(here) in ("desk", "ports") and here != "bridge.desk.events.listen":
            names = {node.id for node in ast.walk(ast.parse(path.read_text()))
                     if isinstance(node, ast.Name)}  # fmt: skip
            assert "Any" not in names, here


def test_every_file_says_in_its_first_line_what_it_is_for() -> None:
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_no_exception_from_a_check_stands_without_its_reason() -> None:
    for path in [*FILES, *sorted((ROOT.parent / "tests").rglob("*.py"))]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            where = f"{path}:{number}"
            if "# type: ignore" in line and "re.search" not in line:
                assert re.search(r"# type: ignore\[[\w, -]+\]  # \w", line), where
            if "# noqa" in line and "re.search" not in line:
                assert re.search(r"# noqa: [A-Z0-9, ]+ - \w", line), where
