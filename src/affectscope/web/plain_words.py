"""What the library says for the command line, said for people at the page.

Notices and remedies speak of session.toml and of commands, which a user of the page never sees.
Each of them has its words here; all else stays as it is.
"""

from __future__ import annotations

_WORDS = {
    " State clock_offset, or record a shared event (a flash, a clap, a marker) and name it under"
    " [sync].": " If you know how far apart they started, say so under Set-up.",
    " State clock_offset if they did not.": " If they did not, say so under Set-up.",
    " Correct [sync], or state clock_offset.": " If you know when the video started, say so under"
    " Set-up.",
    "Check clock_offset.": "Check the start times under Set-up.",
    "exchange them in session.toml.": "exchange them under Set-up.",
    'State decimal = "," or decimal = "." for this modality in session.toml.': "Say under Set-up"
    " which decimal mark it has.",
    " (person in session.toml). To see who that is: affectscope people SESSION --out DIR": ". To"
    " follow somebody else, say who the person is under Set-up.",
    "; assess at a higher --rate": "",
    'State where the person is after that: person = "box" and person_boxes = [[time, x, y, width,'
    " height]] in session.toml; affectscope people SESSION --out DIR writes these lines.": "Say"
    " under Set-up who the person is, or leave this part out.",
    "until the box that session.toml states next": "until the next box that was stated",
    "Check it with: affectscope people SESSION --out DIR": "Look in the video whether that is so.",
    "the files that session.toml names": "the session's files",
}
"""What is said for the command line -> what the page says."""


def plain(text: str | None) -> str:
    """The text without the command line's language, "" for none; "Set-up" is the page of that
    name."""
    text = text or ""
    for said, words in _WORDS.items():
        text = text.replace(said, words)
    return text
