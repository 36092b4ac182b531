"""WESAD against what its twin wrote, and what else its files may hold."""

from __future__ import annotations

import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectscope.datasets.python2_pickle import python2_pickle
from affectscope.datasets.wesad import open_wesad
from affectscope.datasets.wesad_questionnaire import read_questionnaire
from affectscope.datasets.wesad_twin import write_wesad_twin
from affectscope.errors import AffectScopeError, InputError

RATE = 700
CONDITIONS = {"baseline": 1, "stress": 2, "amusement": 3, "meditation-1": 4, "meditation-2": 4}
ANSWERS = (
    "# Subj;S5\n# ORDER;Base;Fun;Medi 1;TSST;Medi 2;sRead;fRead\n"
    + "".join(f"# DIM;{valence};{valence - 1};;\n" for valence in (9, 8, 7, 6, 5))
)  # fmt: skip


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wesad_twin(tmp_path_factory.mktemp("wesad") / "twin", people=2, duration=12)


def written(folder: Path, runs: list[tuple[int, float]], **more: Any) -> Path:
    """A person S5 whose labels are runs of (label, seconds); ECG and EDA count samples."""
    labels = np.concatenate([np.full(round(s * RATE), label, np.int32) for label, s in runs])
    count = np.arange(float(len(labels)))[:, None]
    content = {
        "subject": "S5",
        "signal": {"chest": {"ECG": count, "EDA": count + 0.5}},
        "label": labels,
        **more,
    }
    (folder / "S5").mkdir(exist_ok=True)
    (folder / "S5" / "S5.pkl").write_bytes(python2_pickle(content))
    (folder / "S5" / "S5_quest.csv").write_text(ANSWERS)
    return folder


def test_values_and_ratings_are_those_of_the_files(twin: Path) -> None:
    corpus = open_wesad(twin)
    assert (corpus.name, corpus.simulated, corpus.subjects) == ("wesad", True, ("S2", "S3"))
    for person in corpus:
        place = twin / person.subject_id
        assert corpus.files(person.subject_id) == (
            place / f"{person.subject_id}.pkl",
            place / f"{person.subject_id}_quest.csv",
        )
        content = pickle.loads((place / f"{person.subject_id}.pkl").read_bytes(), encoding="latin1")
        lines = (place / f"{person.subject_id}_quest.csv").read_text().splitlines()
        rated = [[float(x) for x in line.split(";")[1:3]] for line in lines if "DIM" in line]
        assert {recording.trial_id for recording in person.recordings} == set(CONDITIONS)
        # trials come in order of time, as the questionnaire's answers do
        for place_in_order, recording in enumerate(person.recordings):
            assert recording.simulated
            assert recording.ecg is not None
            assert recording.eda is not None
            assert recording.labels is not None
            expected = (np.array(rated[place_in_order]) - 5) / 4
            np.testing.assert_allclose(recording.labels.values, [[*expected, *[np.nan] * 8]] * 2)
            np.testing.assert_array_equal(recording.labels.times, [0.0, 12.0])
            first = (10 + 22 * place_in_order - 5) * RATE
            for signal, key, unit in ((recording.ecg, "ECG", "mV"), (recording.eda, "EDA", "uS")):
                assert (signal.unit, signal.sampling_rate, signal.start_time) == (unit, 700.0, -5.0)
                chest = content["signal"]["chest"][key][:, 0]
                np.testing.assert_array_equal(
                    signal.values, chest[first : first + len(signal.values)]
                )
            marked = content["label"][first + 5 * RATE : first + 17 * RATE]
            assert set(marked) == {CONDITIONS[recording.trial_id]}
        assert [e.modality for e in person.exclusions] == ["face"]
        assert person.notices == ()


def test_conditions_come_in_the_persons_own_order(tmp_path: Path) -> None:
    runs = [(1, 20), (0, 2), (3, 15), (4, 12), (7, 30), (2, 13), (4, 11)]
    (person,) = open_wesad(written(tmp_path, runs))
    found = {
        r.trial_id: (r.labels.values[0, 0], r.labels.times[-1])
        for r in person.recordings if r.labels
    }  # fmt: skip
    assert found == {"baseline": (1.0, 20.0), "amusement": (0.75, 15.0),
                     "meditation-1": (0.5, 12.0), "stress": (0.25, 13.0),
                     "meditation-2": (0.0, 11.0)}  # fmt: skip
    ecg = person.recordings[0].ecg
    assert ecg is not None
    assert (ecg.start_time, ecg.values[0], ecg.duration) == (0.0, 0.0, 25.0)
    assert not open_wesad(tmp_path).simulated


def test_pieces_and_missing_runs_are_told(tmp_path: Path) -> None:
    runs = [(1, 11), (0, 1), (1, 20), (0, 1), (2, 3), (0, 1), (4, 15)]
    (person,) = open_wesad(written(tmp_path, runs))
    (recording,) = person.recordings
    assert recording.labels is not None
    assert (recording.trial_id, recording.labels.times[-1]) == ("baseline", 20.0)
    assert len([n for n in person.notices if n.code == "W_CORPUS"]) == 4
    told = [(e.trial_id, e.code) for e in person.exclusions if e.trial_id]
    assert told == [("meditation-1", "E_CORPUS"), ("meditation-2", "E_CORPUS")]


def test_without_answers_nothing_is_labelled(tmp_path: Path) -> None:
    written(tmp_path, [(1, 20)])
    (tmp_path / "S5" / "S5_quest.csv").unlink()
    (person,) = open_wesad(tmp_path)
    assert person.recordings == ()
    assert {"E_FILE_MISSING", "W_NO_LABELS"} <= {e.code for e in person.exclusions}


def test_a_channel_of_another_length_is_left_out(tmp_path: Path) -> None:
    chest = {"ECG": np.zeros((20 * RATE, 1)), "EDA": np.zeros((5, 1))}
    (person,) = open_wesad(written(tmp_path, [(1, 20)], signal={"chest": chest}, subject="S6"))
    assert [(r.ecg is None, r.eda is None) for r in person.recordings] == [(False, True)]
    assert ("", "eda") in {(e.trial_id, e.modality) for e in person.exclusions}
    assert "another person" in person.notices[0].sentence


@pytest.mark.parametrize(
    "more", [{"label": None}, {"label": "text"}, {"signal": None}, {"signal": {"wrist": None}}]
)
def test_other_content_is_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        list(open_wesad(written(tmp_path, [(1, 20)], **more)))
    assert caught.value.code == "E_CORPUS"


@pytest.mark.parametrize(
    "answers",
    [
        "# ORDER;Base;Fun\n# DIM;1;2\n",  # two conditions, one rating
        "# ORDER;Base;Base\n# DIM;1;2\n# DIM;1;2\n",
        "# DIM;1;2\n",
        "# ORDER;Base\n# ORDER;Fun\n# DIM;1;2\n",
        "nothing",
    ],
)
def test_answers_that_do_not_fit_are_refused(tmp_path: Path, answers: str) -> None:
    path = tmp_path / "S5_quest.csv"
    path.write_text(answers)
    with pytest.raises(InputError) as caught:
        read_questionnaire(path)
    assert caught.value.code == "E_CORPUS"


def test_answers_that_are_no_numbers_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "S5_quest.csv"
    path.write_bytes(b"\xef\xbb\xbf#ORDER;base;MEDI 1\r\n# DIM;x;7\r\n# DIM;3,5\r\n\xff\r\n")
    found = read_questionnaire(path)
    np.testing.assert_equal(found, {"baseline": (np.nan, 7.0), "meditation-1": (3.5, np.nan)})


def test_any_cut_or_change_is_read_or_refused(tmp_path: Path) -> None:
    written(tmp_path, [(1, 11), (2, 11)])
    path = tmp_path / "S5" / "S5.pkl"
    content = path.read_bytes()
    head = 400
    generator = np.random.default_rng(6)
    for _ in range(60):
        changed = bytearray(content)
        for place in (*generator.integers(0, head, 2), -generator.integers(1, 300)):
            changed[place] = generator.integers(0, 256)
        path.write_bytes(changed[: generator.integers(len(content) - 200, len(content) + 200)])
        with suppress(AffectScopeError):  # which always has a code
            list(open_wesad(tmp_path))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="E_CORPUS"):
        open_wesad(tmp_path)
