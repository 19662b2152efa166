"""Addresses are compared in one form, whatever a program made of them on the way."""

from __future__ import annotations

import pytest

from bridge.mail.address import fault, idna
from bridge.model import Address, forms_of, key_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Carla@Customer.Example", "carla@customer.example"),
        ("carla@customer.example.", "carla@customer.example"),
        ("carla@müller.example", "carla@xn--mller-kva.example"),
        ("carla@MÜLLER.example.", "carla@xn--mller-kva.example"),
        ("carla@mu\u0308ller.example", "carla@müller.example"),
        ("carla@straße.example", "carla@xn--strae-oqa.example"),
        ("carla@例え。example", "carla@xn--r8jz45g.example"),
        ("josé@customer.example", "jose\u0301@customer.example"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
    ],
)
def test_the_same_address_has_the_same_key(one: str, other: str) -> None:
    assert key_of(one) == key_of(other)
    assert Address(one).is_of(frozenset({key_of(other)}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("carla@straße.example", "carla@strasse.example"),
        ("carla@müller.example", "carla@muller.example"),
        ("carla.x@customer.example", "carlax@customer.example"),
    ],
)
def test_other_addresses_have_other_keys(one: str, other: str) -> None:
    assert key_of(one) != key_of(other)


def test_a_domain_without_an_ascii_form_is_compared_as_it_is() -> None:
    assert key_of("x@☃️..example") == "x@☃️..example"
    assert key_of("x@" + "ü" * 300) == "x@" + "ü" * 300


def test_both_forms_in_which_an_address_is_stored_are_known() -> None:
    assert forms_of("Carla@xn--mller-kva.example") == (
        "carla@xn--mller-kva.example", "carla@müller.example"
    )  # fmt: skip
    assert forms_of("carla@customer.example") == ("carla@customer.example",) * 2


def test_mail_goes_to_the_domain_that_was_meant() -> None:
    assert idna("Carla@straße.example") == "Carla@xn--strae-oqa.example"
    assert idna("carla@customer.example.") == "carla@customer.example"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("support@acme.example", ""),
        ("support@müller.example", ""),
        ("süpport@acme.example", ""),
        ("support@localhost", ""),
        ("support@a_b.example", ""),
        ("Support <support@acme.example>", "write the address alone"),
        ("support@acme..example", "is not the name of a domain"),
        ("support@acme.example.", ""),
        ("support@-acme.example", "is not the name of a domain"),
        ("support@acme.example,", "write the address alone"),
        (".support@acme.example", "has a dot at its start"),
        ("sup..port@acme.example", "has a dot at its start"),
        ("s" * 65 + "@acme.example", "more than 64 bytes"),
        ("support@" + "a" * 64 + ".example", "is not the name of a domain"),
        ("support@☃..example", "is not the name of a domain"),
        ("support@[192.0.2.1]", "write the address alone"),
    ],
)
def test_an_address_that_no_mail_can_be_sent_from_says_why(spec: str, why: str) -> None:
    assert fault(spec).startswith(why) if not why else why in fault(spec)
    assert bool(fault(spec)) is bool(why)
