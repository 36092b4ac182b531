"""The public names, and errors that can be acted on."""

from __future__ import annotations

import pytest

import affectscope
from affectscope.errors import CODES, AffectScopeError, InputError, MissingExtraError, require


def test_the_public_names_are_few_and_all_there() -> None:
    assert affectscope.__all__ == [
        "assess",
        "load_checkpoint",
        "open_session",
        "plot",
        "summarise",
    ]
    for name in affectscope.__all__:
        assert callable(getattr(affectscope, name))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        affectscope.feelings  # noqa: B018


def test_an_error_says_code_sentence_and_remedy() -> None:
    error = InputError("E_UNIT", "The unit 'parsec' is unknown.", "State mV.")
    assert str(error) == "E_UNIT: The unit 'parsec' is unknown. State mV."
    assert isinstance(error, AffectScopeError)


def test_a_missing_extra_is_one_sentence_that_names_it() -> None:
    with pytest.raises(MissingExtraError) as caught:
        require("no_such_package_anywhere", "Reading XYZ files", "formats")
    assert caught.value.code == "E_EXTRA"
    assert "affectscope[formats]" in str(caught.value)


def test_every_code_tells_its_weight() -> None:
    assert all(code.startswith(("E_", "W_")) for code in CODES)
