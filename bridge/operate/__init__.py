"""What an operator runs: check, backup, restore, tests of an inbox."""
