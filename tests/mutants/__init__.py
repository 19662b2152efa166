"""Defences taken out one at a time: `make mutants` fails where the tests of a threat stay green."""
