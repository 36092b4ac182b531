"""What a reader of a trial asks about an automatic assessment, answered from the data.

After X. Liu et al., Reporting guidelines for clinical trial reports for interventions involving
artificial intelligence: the CONSORT-AI extension, Nature Medicine 26, 2020, as far as its items
apply to an assessment that decides nothing. Own wording; the numbers are those of its checklist.
What the program cannot know is left to the study's authors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from affectscope.errors import CODES
from affectscope.pages import INTENDED_USE
from affectscope.records import MODALITIES
from affectscope.therapy.study.reading import PHASES, StudySession
from affectscope.therapy.study.rows import StudyFacts, StudyRows

AUTHORS = "To be filled in by the study's authors"
NAMES = {"face": "face video", "ecg": "ECG", "eda": "EDA"}
_MOST_CODES = 12


def consort_items(rows: StudyRows, facts: StudyFacts) -> list[tuple[str, str, list[str]]]:
    """Item's number, what it asks for, and what was done here, a sentence each."""
    model = _model(rows)
    return [
        ("1", "What the system is, in title and abstract", [_system(model), f"{AUTHORS}."]),
        ("2", "Intended use, and for whom", [INTENDED_USE, f"{AUTHORS}: its place in the care."]),
        ("4a i", "Which participants", [_participants(rows), f"{AUTHORS}: how they were chosen."]),
        ("4a ii", "Which input data count", [_counted(rows, facts), "The rules stand above."]),
        (
            "4b, 5 iv",
            "Setting, expertise, and how people worked with the system",
            [
                "No number was set or corrected by hand; questionnaires were scored by their keys.",
                f"{AUTHORS}: where and by whom sessions were recorded, and who reads this page.",
            ],
        ),
        ("5 i", "Version of the system", _version(model, facts)),
        ("5 ii", "How the input was acquired and selected", _inputs(rows)),
        ("5 iii", "Poor or missing input", _poor_input(rows)),
        (
            "5 v, 5 vi",
            "What comes out, and what it decides",
            [
                "For each session means before and after with their change, over patients the"
                " statistics of this page.",
                "It decides nothing. " + f"{AUTHORS}: who saw the results during the study.",
            ],
        ),
        ("19", "Failures and errors", _failures(rows)),
        ("25", "Access to program and model", _access(facts)),
    ]


def _model(rows: StudyRows) -> Mapping[str, Any] | None:
    return next((one.model for one in rows.sessions if one.model is not None), None)


def _system(model: Mapping[str, Any] | None) -> str:
    if model is None:
        return "Signal processing of ECG and EDA; no network scored affect."
    kinds = ", ".join(NAMES.get(str(name), str(name)) for name in model.get("modalities", []))
    return f"A neural network estimates valence and arousal over time from {kinds}."


def _participants(rows: StudyRows) -> str:
    who = "simulated people" if rows.simulated else "people"
    counted = len({one.patient for one in rows.counted})
    return f"{len(rows.patients)} {who} have sessions, {counted} have one that counts."


def _counted(rows: StudyRows, facts: StudyFacts) -> str:
    return (
        f"{len(rows.counted)} of {facts.sessions_found} sessions count; "
        f"least usable share of a phase: {100 * facts.least_usable:.0f} %."
    )


def _version(model: Mapping[str, Any] | None, facts: StudyFacts) -> list[str]:
    program = f"affectscope {facts.versions.get('affectscope', 'of an unknown version')}."
    if model is None:
        return [program, "No affect model."]
    return [
        program,
        f"Model {str(model['checkpoint_id'])[:16]} ({model.get('variant', 'unknown variant')}),"
        " the same for all sessions.",
        f"Fitted on {model.get('training_subjects', 'an unknown number of')}"
        f" {model.get('population', 'unknown people')}.",
    ]


def _inputs(rows: StudyRows) -> list[str]:
    assessed = [one for one in rows.sessions if one.status != "REJECTED"]
    recorded = Counter(name for one in assessed for name in one.result["coverage"])
    told = ", ".join(f"{NAMES[name]} in {recorded[name]}" for name in MODALITIES)
    return [
        f"Of {len(assessed)} assessed sessions: {told}. Files and their sha256 stand in each"
        " session's result.json.",
        f"{AUTHORS}: devices, placement, instructions.",
    ]


def _poor_input(rows: StudyRows) -> list[str]:
    shares = [_usable(rows.counted, name) for name in MODALITIES]
    codes = Counter(code for one in rows.sessions for code in {n["code"] for n in one.notices})
    told = [
        f"{code} in {count} ({CODES.get(code, 'unknown')})"
        for code, count in codes.most_common(_MOST_CODES)
    ]
    rest = len(codes) - len(told)
    return [
        "Unusable spans are masked and nothing is filled in: a modality that is missing is left out"
        " of the score, and a time without any has none.",
        "Usable share of the compared phases in the sessions that count, mean and lowest: "
        + ("; ".join(filter(None, shares)) or "none")
        + ".",
        "Notices, by the number of sessions: "
        + ("; ".join(told) or "none")
        + (f"; and {rest} other codes" if rest > 0 else "")
        + ".",
    ]


def _usable(sessions: Iterable[StudySession], name: str) -> str:
    found = [
        one.usable[phase][name] for one in sessions for phase in PHASES if name in one.usable[phase]
    ]
    if not found:
        return ""
    return f"{NAMES[name]} {sum(found) / len(found):.0%}, {min(found):.0%}"


def _failures(rows: StudyRows) -> list[str]:
    refused = Counter(str(one.result["code"]) for one in rows.sessions if one.status == "REJECTED")
    told = "; ".join(
        f"{code} {count} ({CODES.get(code, 'unknown')})" for code, count in refused.items()
    )
    return [
        f"Rejected sessions: {told or 'none'}.",
        "Errors of the estimates cannot be told here, since nobody knows the true affect of a"
        " session; no error analysis by groups of people was made.",
    ]


def _access(facts: StudyFacts) -> list[str]:
    return [
        "The program is open (Apache-2.0). With this page lie study.json, which holds the question"
        " as it was asked, and each session's result.json.",
        f"{AUTHORS}: access to the recordings and to the model's weights.",
    ]


def identity(rows: StudyRows, facts: StudyFacts) -> list[tuple[str, str]]:
    """Model, versions and the question as rows of a table."""
    model = _model(rows)
    found = [("data folder", facts.data_folder), ("page made", facts.created)]
    if model is None:
        found.append(("model", "none: no affect score"))
    else:
        found += [(f"model: {name.replace('_', ' ')}", _plain(v)) for name, v in model.items()]
    found.append(("versions of this page", _plain(facts.versions)))
    versions = Counter(_plain(one.result.get("versions", {})) for one in rows.sessions)
    versions.pop(_plain({}), None)
    found += [
        ("versions of sessions" + (f" ({count})" if len(versions) > 1 else ""), text)
        for text, count in versions.items()
    ]
    return found + [(f"question: {key}", _plain(value)) for key, value in facts.question.items()]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "none"
    return "none" if value is None else str(value)
