"""Keys and scoring rules of the questionnaires, as data; no item's text.

Forms: SAM (Bradley & Lang, J. Behav. Ther. Exp. Psychiat. 25, 1994), STAI form Y (Spielberger and
others, 1983), SUDS (Wolpe, 1969), PANAS (Watson, Clark & Tellegen, J. Pers. Soc. Psychol. 54,
1988), GAD-7 (Spitzer and others, Arch. Intern. Med. 166, 2006), PHQ-9 (Kroenke, Spitzer & Williams,
J. Gen. Intern. Med. 16, 2001), PSS-10 (Cohen & Williamson, 1988).

Where the sources are silent, or could not be read here, and what we do:
1. Missing items of SAM, SUDS, PANAS, GAD-7 and PSS-10: no rule of a manual is known, so one missing
   item leaves the total out.
2. STAI: up to two missing items of a scale are replaced by the mean of the others, rounded up;
   PHQ-9: up to two, not rounded. What that rests on stands in docs/questionnaires.md.
3. Bands are given where the authors published them (GAD-7, PHQ-9) and for nothing else. An
   estimated total that lies between two bands belongs to the lower one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scale:
    """What one total is made of.

    Attributes:
        items: their numbers on the form. ``reversed_items`` of them count as lowest + highest
            answer - answer.
        most_missing: as many items may lack and the total still be estimated; ``rounded_up`` then.
        bands: (lowest total, name), rising.
    """

    measure: str
    items: tuple[int, ...]
    higher_means: str
    reversed_items: frozenset[int] = frozenset()
    most_missing: int = 0
    rounded_up: bool = False
    bands: tuple[tuple[int, str], ...] = ()

    def band(self, total: float | None) -> str:
        """The band that a total lies in, "" where there is none."""
        reached = [name for least, name in self.bands if total is not None and total >= least]
        return reached[-1] if reached else ""


@dataclass(frozen=True)
class Form:
    """What a person fills in: items 1 to the last, each answered from ``lowest`` to ``highest``.

    Attributes:
        item_names: words that a table may hold instead of an item's number.
        whole: whether answers are whole numbers.
    """

    name: str
    lowest: int
    highest: int
    scales: tuple[Scale, ...]
    item_names: Mapping[str, int] = field(default_factory=dict)
    whole: bool = True

    @property
    def items(self) -> tuple[int, ...]:
        """All items, in the form's order."""
        return tuple(sorted(item for scale in self.scales for item in scale.items))

    def span(self, scale: Scale) -> tuple[int, int]:
        """The lowest and the highest total of a scale."""
        return self.lowest * len(scale.items), self.highest * len(scale.items)


@dataclass(frozen=True)
class Sheet:
    """The part of a form that a table names: ``scales`` of it, whose items may be numbered from 1,
    that is ``added`` lower than on the form."""

    form: Form
    scales: tuple[Scale, ...]
    added: int = 0

    @property
    def items(self) -> tuple[int, ...]:
        """The items of this part, by their numbers on the form."""
        return tuple(item for scale in self.scales for item in scale.items)

    def item(self, stated: str) -> int | None:
        """The item's number on the form, None where this part has no such item."""
        text = stated.strip().casefold()
        found = re.fullmatch(r"(?:item|q)?[ _-]?0*([0-9]{1,3})(?:[.,]0+)?", text)
        number = int(found[1]) if found else self.form.item_names.get(text, 0)
        return next((n for n in (number, number + self.added) if n in self.items), None)


def _numbers(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


_STATE = Scale(
    "STAI-S",
    _numbers(1, 20),
    "more anxiety now",
    frozenset((1, 2, 5, 8, 10, 11, 15, 16, 19, 20)),
    most_missing=2,
    rounded_up=True,
)
_TRAIT = Scale(
    "STAI-T",
    _numbers(21, 40),
    "more anxiety in general",
    frozenset((21, 23, 26, 27, 30, 33, 34, 36, 39)),
    most_missing=2,
    rounded_up=True,
)
_POSITIVE = (1, 3, 5, 9, 10, 12, 14, 16, 17, 19)
_NEGATIVE = (2, 4, 6, 7, 8, 11, 13, 15, 18, 20)

SAM = Form(
    "SAM", 1, 9,
    (
        Scale("SAM valence", (1,), "more pleasant"),
        Scale("SAM arousal", (2,), "more aroused"),
        Scale("SAM dominance", (3,), "more in control"),
    ),
    {"valence": 1, "pleasure": 1, "arousal": 2, "dominance": 3},
)  # fmt: skip
STAI = Form("STAI", 1, 4, (_STATE, _TRAIT))
SUDS = Form("SUDS", 0, 100, (Scale("SUDS", (1,), "more distress"),), whole=False)
PANAS = Form(
    "PANAS", 1, 5,
    (
        Scale("PANAS positive", _POSITIVE, "more positive affect"),
        Scale("PANAS negative", _NEGATIVE, "more negative affect"),
    ),
)  # fmt: skip
GAD_7 = Form(
    "GAD-7", 0, 3,
    (
        Scale(
            "GAD-7", _numbers(1, 7), "more anxiety",
            bands=((0, "minimal"), (5, "mild"), (10, "moderate"), (15, "severe")),
        ),
    ),
)  # fmt: skip
PHQ_9 = Form(
    "PHQ-9", 0, 3,
    (
        Scale(
            "PHQ-9", _numbers(1, 9), "more depressive symptoms", most_missing=2,
            bands=(
                (0, "minimal"), (5, "mild"), (10, "moderate"), (15, "moderately severe"),
                (20, "severe"),
            ),
        ),
    ),
)  # fmt: skip
PSS_10 = Form(
    "PSS-10", 0, 4,
    (Scale("PSS-10", _numbers(1, 10), "more stress", frozenset((4, 5, 7, 8))),),
)  # fmt: skip

FORMS: Mapping[str, Form] = {
    form.name: form for form in (SAM, STAI, SUDS, PANAS, GAD_7, PHQ_9, PSS_10)
}

_STATE_SHEET, _TRAIT_SHEET = Sheet(STAI, (_STATE,)), Sheet(STAI, (_TRAIT,), added=20)
_SHEETS: Mapping[str, Sheet] = {
    **{re.sub("[^a-z0-9]", "", name.casefold()): Sheet(f, f.scales) for name, f in FORMS.items()},
    **dict.fromkeys(("stais", "staistate", "staiy1", "statestai"), _STATE_SHEET),
    **dict.fromkeys(("stait", "staitrait", "staiy2", "traitstai"), _TRAIT_SHEET),
    "stai": Sheet(STAI, STAI.scales),
    "sud": Sheet(SUDS, SUDS.scales),
    "pss": Sheet(PSS_10, PSS_10.scales),
}


def find_sheet(stated: str) -> Sheet | None:
    """What a table's cell names, in any case and however its letters are parted."""
    return _SHEETS.get(re.sub(r"[\W_]+", "", stated.casefold()))
