"""Commands for operators: check, backup, restore, copy, rekey; and the test of an inbox."""
