"""Nobody at the page is told of session.toml, its keys, or commands."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import affectscope
from affectscope.io.clock_alignment import unshared
from affectscope.preprocessing.chosen_person import REMEDY
from affectscope.web.plain_words import _WORDS, plain

PACKAGE = Path(affectscope.__file__).parent
COMMAND_LINE = re.compile(
    r"session\.toml|\[sync\]|clock_offset|affectscope people|--[a-z]|person_boxes"
)


def said_in(room: str) -> list[str]:
    """All pieces of text in the code of a room."""
    return [
        node.value
        for path in (PACKAGE / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_each_phrase_is_still_said_somewhere_and_is_gone_after() -> None:
    texts = [
        text for room in ("io", "preprocessing", "datasets", "therapy") for text in said_in(room)
    ]
    for phrase, words in _WORDS.items():
        assert any(phrase in text for text in texts), phrase
        assert COMMAND_LINE.search(phrase)
        assert not COMMAND_LINE.search(words)


@pytest.mark.parametrize("sentence", [unshared("face", "ecg"), REMEDY])
def test_a_notice_keeps_what_it_says_and_points_to_the_set_up(sentence: str) -> None:
    assert COMMAND_LINE.search(sentence)
    told = plain(sentence)
    assert "under Set-up" in told
    assert not COMMAND_LINE.search(told)
    assert plain("The face was not visible.") == "The face was not visible."
