"""The house: a file imports only from floors below, and no file or function grows too large."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import bridge

ROOT = Path(bridge.__file__).parent
FILES = sorted(p for p in ROOT.rglob("*.py") if p.name != "__init__.py")
# 0 model, 1 pure, 2 ports, 3 desk, 4 adapters, 5 app, 6 demo, 7 command line. The mended IMAP
# client is what adapters are built with, so it lies between the desk and them.
FLOORS: list[tuple[str, float]] = [
    ("model", 0), ("oversight", 0.2), ("failpoint", 0.5), ("logs", 4), ("config", 1),
    ("metrics", 1), ("vault", 0.6), ("section", 0.6), ("rule", 0.7), ("inbox", 0.8),
    ("mail", 1), ("draft", 1.2), ("masked", 1.2),
    ("chat", 1.5), ("ports", 2),
    ("desk", 3), ("imap", 3.5), ("init", 4), ("worker", 4), ("store", 4), ("matrix", 4),
    ("ingress", 4), ("egress", 4), ("hooks", 4), ("folders", 4), ("sandbox", 4),
    ("web", 4),
    ("probe", 4.5), ("watches", 4.5), ("app", 5), ("check", 5), ("safekeeping", 5),
    ("demo", 6), ("__main__", 7),
]  # fmt: skip
PURE_LIBRARIES = {"nh3", "selectolax", "inscriptis", "markdown_it", "cchardet",
                  "authres", "itsdangerous", "pydantic", "ruamel", "structlog",
                  "cryptography", "prometheus_client", "tnefparse", "icalendar",
                  "flufl", "PIL"}  # fmt: skip
ADAPTER_LIBRARIES = {"mautrix", "aiohttp", "aiosmtplib", "aioimaplib", "asyncpg", "aiosmtpd",
                     "aiosqlite", "pymap"}  # fmt: skip
IO_MODULES = {"socket", "sqlite3", "time", "asyncio", "subprocess", "os", "random"}
# The demo says how it is going, and tells the time; so does what runs it.
MAX_LINES, MAX_FUNCTION = 400, 60


def floor(module: str) -> float:
    head = module.removeprefix("bridge.").split(".")[0]
    return dict(FLOORS)[head]


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "bridge":
                found |= {f"bridge.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
    return found


def module_of(path: Path) -> str:
    return ".".join(("bridge", *path.relative_to(ROOT).with_suffix("").parts))


def package_of(module: str) -> str:
    return module.split(".")[1]


def test_a_file_imports_only_from_floors_below_its_own() -> None:
    for path in FILES:
        here = module_of(path)
        for other in imports(path):
            if not other.startswith("bridge.") or other == "bridge.__version__":
                continue
            same_room = package_of(other) == package_of(here)
            allowed = floor(other) < floor(here) or same_room
            assert allowed, f"{here} (floor {floor(here)}) imports {other} (floor {floor(other)})"


def test_rooms_of_the_fourth_floor_never_import_one_another() -> None:
    # each of these is alone in its task, though they share a folder
    alone = {"bridge.matrix.service", "bridge.egress", "bridge.ingress.imap", "bridge.worker",
             "bridge.folders", "bridge.sandbox.reader", "bridge.web.health",
             "bridge.web.pages"}  # fmt: skip
    for path in FILES:
        here = module_of(path)
        if floor(here) == 4:
            assert not (imports(path) & alone - {here}), here


def test_the_pure_floors_import_pure_libraries_only() -> None:
    for path in FILES:
        here = module_of(path)
        for other in imports(path):
            top = other.split(".")[0]
            if floor(here) <= 3:
                assert top not in ADAPTER_LIBRARIES, f"{here} imports {other}"
            elif top in ADAPTER_LIBRARIES:
                assert floor(here) >= 3.5, f"{here} imports {other}"


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


def test_no_file_is_over_400_lines_and_no_function_over_60() -> None:
    beside = [path for part in ("tests", "bench") for path in (ROOT.parent / part).rglob("*.py")]
    for path in [*FILES, *beside]:
        text = path.read_text()
        assert len(text.splitlines()) <= MAX_LINES, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= MAX_FUNCTION, f"{path}:{node.lineno} {node.name}: {length} lines"


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
