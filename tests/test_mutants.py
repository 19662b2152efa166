"""The mutants still fit the code, and every threat has one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bridge
from tests.mutants.__main__ import files_of
from tests.mutants.symbols import applied
from tests.mutants.table import MUTANTS, NO_CODE, Mutant

CODE = Path(bridge.__file__).parent
PENDING: set[str] = set()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: f"{each.threat} {each.symbol}")
def test_a_mutant_changes_one_place_and_can_be_read(mutant: Mutant) -> None:
    path, changed = applied(CODE, mutant)
    ast.parse(changed)
    assert changed != path.read_text()


def test_every_threat_that_is_met_by_code_has_a_mutant() -> None:
    wanted = {f"T{number:02}" for number in range(1, 59)} - NO_CODE - PENDING
    assert {each.threat for each in MUTANTS} == wanted


def test_every_mutant_has_tests_that_may_notice() -> None:
    for mutant in MUTANTS:
        assert list(files_of(CODE.parent, mutant.threat)), mutant.threat
