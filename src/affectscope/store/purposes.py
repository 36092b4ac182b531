"""What a project may be for. Two purposes are refused by law (G08).

Regulation (EU) 2024/1689 (AI Act), Article 5(1)(f), forbids AI systems that infer emotions of a
person in the areas of workplace and education institutions, except where they are put in place for
medical or safety reasons.
"""

from __future__ import annotations

from affectscope.errors import StoreError

PURPOSES: dict[str, str] = {
    "therapy": "Therapy or care, with the person's consent",
    "research": "Research, with the participants' consent",
    "medical or safety": "Medical or safety reasons at work or in education, with a justification",
}
FORBIDDEN: dict[str, str] = {
    "workplace": "the workplace",
    "education": "education institutions",
}
ARTICLE = (
    "Regulation (EU) 2024/1689, Article 5(1)(f) prohibits the use of AI systems to infer emotions"
    " of a natural person in the areas of workplace and education institutions, except where it is"
    " for medical or safety reasons."
)
LEAST_JUSTIFICATION = 20
"""Characters of a justification."""


def check_purpose(purpose: str, justification: str) -> None:
    """Raises StoreError: E_PURPOSE for a forbidden one, or one that lacks its justification;
    E_VALUE for one that is not known."""
    if purpose in FORBIDDEN:
        raise StoreError(
            "E_PURPOSE",
            f"A project about {FORBIDDEN[purpose]} is refused. {ARTICLE}",
            'Where medical or safety reasons hold, choose "medical or safety" and state them.',
        )
    if purpose not in PURPOSES:
        raise StoreError(
            "E_VALUE",
            f"{purpose!a} is no purpose that is known.",
            f"Purposes are {', '.join(PURPOSES)}.",
        )
    if purpose == "medical or safety" and len(justification.strip()) < LEAST_JUSTIFICATION:
        raise StoreError(
            "E_PURPOSE",
            "This purpose needs a justification on record. " + ARTICLE,
            f"State the medical or safety reason in at least {LEAST_JUSTIFICATION} characters.",
        )
