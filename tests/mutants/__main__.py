"""`python -m tests.mutants [T01 …]`: apply each mutant to a copy of everything, run the tests of
its threat there, and fail where they stay green."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests import provision
from tests.mutants.symbols import applied
from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 600
"""Seconds the tests of one mutant may take: they wait in vain for what does not come."""
AT_ONCE = 4
"""Mutants that are looked at at once, each in a copy of its own: their tests mostly wait."""
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".cache", ".demo", "*.egg-info", "__pycache__")


def files_of(root: Path, threat: str) -> Iterator[Path]:
    """The files that have a test named after a threat."""
    for path in sorted((root / "tests").rglob("test_*.py")):
        if re.search(rf"def test_(?:T\d\d_)*{threat}_", path.read_text()):
            yield path.relative_to(root)


def is_caught(root: Path, mutant: Mutant) -> bool:
    """Whether a test of its threat fails with the mutant applied. Raises RuntimeError where the
    tests could not be run."""
    path, changed = applied(root / "bridge", mutant)
    before = path.read_text()
    path.write_text(changed)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header",
             "--tb=no", "-k", f"{mutant.threat}_ and not postgres",
             *map(str, files_of(root, mutant.threat))],
            cwd=root, env={**os.environ, "PYTHONPATH": str(root), "STRICT": "", "PATIENCE": "20"},
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    finally:
        path.write_text(before)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{mutant.threat} {mutant.symbol}: {done.stdout[-800:]}{done.stderr}")
    return done.returncode == 1


def main() -> int:
    chosen = [each for each in MUTANTS if not sys.argv[1:] or each.threat in sys.argv[1:]]
    os.environ["POSTROOM_SYNAPSE"] = str(provision.SYNAPSE.absolute())
    alive = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(AT_ONCE):
            copies.put(Path(shutil.copytree(ROOT, f"{folder}/{number}", ignore=LEFT_OUT)))

        def look(mutant: Mutant) -> bool:
            root = copies.get()
            try:
                return is_caught(root, mutant)
            finally:
                copies.put(root)

        for mutant, caught in zip(chosen, pool.map(look, chosen), strict=True):
            print(f"{mutant.threat} {mutant.symbol}: {'caught' if caught else 'ALIVE'}", flush=True)
            alive += [] if caught else [mutant]
    print(f"{len(chosen) - len(alive)} of {len(chosen)} mutants caught")
    for mutant in alive:
        print(f"ALIVE: {mutant.threat} {mutant.symbol}: {mutant.old!r} → {mutant.new!r}")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
