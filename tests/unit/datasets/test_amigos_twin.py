"""The twin of AMIGOS: its layout, its defects, its determinism, and how weak its effects are."""

from __future__ import annotations

import hashlib
import tomllib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectscope.datasets.amigos import (
    KNOWN_NAN,
    LONG_CLIPS,
    QUADRANTS,
    SEGMENTS,
    SHORT_CLIPS,
    open_amigos,
    read_external,
)
from affectscope.datasets.amigos_inspection import (
    inspect_amigos,
    inspection_lines,
    quadrant_points,
)
from affectscope.datasets.amigos_layout import read_trials, segment_count
from affectscope.datasets.amigos_twin import TwinSettings, write_amigos_twin
from affectscope.datasets.amigos_twin_affect import CLIP_DURATIONS, TwinAffect, draw_trial
from affectscope.datasets.personality import TRAITS, read_personality
from affectscope.errors import OutputError, SessionError
from affectscope.io.video import FrameReader
from affectscope.preprocessing.eeg import eeg_feature_names, eeg_features, eeg_power
from affectscope.records import TARGETS

TINY = TwinSettings(numbers=(8, 9, 11), seed=5, clip_scale=0.1, frame_rate=2.0, face_clips=("18",))
FACELESS = replace(TINY, numbers=(1,), long_videos=False, face_clips=())


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_amigos_twin(tmp_path_factory.mktemp("twin") / "amigos", TINY)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_layout_is_that_of_the_corpus_and_says_that_it_is_simulated(twin: Path) -> None:
    names = {path.name for path in twin.rglob("*") if path.is_file()}
    assert names == {
        "TWIN.toml",
        *(f"Data_Preprocessed_P{number}.mat" for number in ("08", "09", "11")),
        *(f"P{number}_18_face.mov" for number in (8, 9, 11)),
    }
    stated = tomllib.loads((twin / "TWIN.toml").read_text())
    assert stated["simulated"] is True
    assert (stated["seed"], stated["clip_scale"]) == (5, 0.1)
    (trial, *_) = read_trials(twin / "Data_Preprocessed" / "Data_Preprocessed_P11.mat")
    assert trial.shape[1] == 17
    assert trial.ratings.shape == (12,)


def test_a_part_of_a_twin_and_a_folder_above_it_are_simulated_too(twin: Path) -> None:
    for folder in (twin / "Data_Preprocessed", twin.parent):
        assert open_amigos(folder).simulated


def test_the_known_defects_are_there(twin: Path) -> None:
    corpus = open_amigos(twin)
    assert corpus.simulated
    eight, nine, eleven = corpus
    assert {r.trial_id for r in eight.recordings} == set(SHORT_CLIPS)
    no_ecg = {e.trial_id for e in nine.exclusions if e.modality == "ecg"}
    cells = {t.cell for t in read_trials(corpus.files("P09")[0]) if t.clip in no_ecg}
    assert cells == set(KNOWN_NAN["ecg"]["P09"])
    assert {r.trial_id for r in nine.recordings} == {*SHORT_CLIPS, *LONG_CLIPS}
    flagged = [r.trial_id for r in eleven.recordings
               if any(n.code == "W_VIDEO_LENGTH" for n in r.notices)]  # fmt: skip
    assert flagged == ["18"]
    for person in (eight, nine, eleven):
        assert not [n for n in person.notices if n.code == "W_CORPUS"]
        assumed = " ".join(n.sentence for n in person.notices if n.code == "W_ASSUMED")
        assert "right ECG lead" in assumed
        assert "resistance in Ohm" in assumed
        assert all(r.simulated for r in person.recordings)


def test_the_person_who_did_not_rate_the_long_videos(tmp_path: Path) -> None:
    settings = replace(TINY, numbers=(32,), face_clips=())
    corpus = open_amigos(write_amigos_twin(tmp_path / "twin", settings))
    (person,) = corpus
    unrated = {e.trial_id for e in person.exclusions if e.code == "W_NO_LABELS"}
    assert unrated == set(LONG_CLIPS)
    assert not [notice for notice in person.notices if notice.code == "W_CORPUS"]
    assert "P32 whole trial, 4 clips" in "\n".join(inspection_lines(inspect_amigos(corpus)))


def test_cells_are_shuffled_against_the_list_of_ids(twin: Path) -> None:
    orders = {
        tuple(trial.clip for trial in read_trials(path, signals=False)[:16])
        for path in (twin / "Data_Preprocessed").iterdir()
    }
    assert len(orders) == 3
    assert SHORT_CLIPS not in orders
    assert {frozenset(order) for order in orders} == {frozenset(SHORT_CLIPS)}


def test_face_videos_show_frames(twin: Path) -> None:
    recording = next(r for r in open_amigos(twin).read_subject("P08").recordings if r.video)
    assert recording.video is not None
    assert recording.video.codec == "h264"
    frames = list(FrameReader(recording.video))
    assert len(frames) == round(7.7 * 2)
    assert frames[0].rgb.std() > 20


def test_the_inspection_counts_and_explains(twin: Path) -> None:
    corpus = open_amigos(twin)
    inspection = inspect_amigos(corpus)
    by_subject = {subject.subject_id: subject for subject in inspection.subjects}
    assert sum(subject.counts["ecg"][0] for subject in inspection.subjects) == 3 * 16 - 11
    assert by_subject["P08"].counts["eda"] == (16, 0)
    assert by_subject["P11"].counts["face"] == (1, 0)
    lost = {e.trial_id for e in by_subject["P09"].exclusions if e.modality == "ecg"}
    assert inspection.expected_short == 48
    assert inspection.complete_short == 3 - ("18" in lost)  # only clip 18 has faces here
    text = "\n".join(inspection_lines(inspection))
    assert "SIMULATED PEOPLE" in text
    assert "P09 ECG, 11 clips" in text
    assert "This is known of it" in text


def test_the_inspection_survives_a_damaged_person(twin: Path, tmp_path: Path) -> None:
    for number in ("08", "11"):
        name = f"Data_Preprocessed_P{number}.mat"
        content = (twin / "Data_Preprocessed" / name).read_bytes()
        (tmp_path / name).write_bytes(content if number == "11" else content[:3000])
    inspection = inspect_amigos(open_amigos(tmp_path))
    assert list(inspection.unreadable) == ["P08"]
    assert [subject.subject_id for subject in inspection.subjects] == ["P11"]
    assert "P08: E_SIGNAL_FILE" in "\n".join(inspection_lines(inspection))
    assert set(quadrant_points(open_amigos(tmp_path)).subject) == {"P11"}


def test_the_points_of_figure_1(twin: Path) -> None:
    corpus = open_amigos(twin)
    points = quadrant_points(corpus)
    assert list(points.columns) == ["subject", "trial", "valence", "arousal", "designed",
                                    "external_valence", "external_arousal"]  # fmt: skip
    assert len(points) == 2 * 20 + 16
    assert points.valence.dropna().between(-1, 1).all()
    point = points[(points.subject == "P11") & (points.trial == "4")].iloc[0]
    assert point.designed == "HAHV"
    external = read_external(corpus, "P11")["4"]
    assert point.external_arousal == pytest.approx(external.arousal.mean())
    assert points[points.trial == "N1"].designed.tolist() == [""] * 2


def test_the_same_settings_give_the_same_bytes_and_nothing_is_written_twice(
    twin: Path, tmp_path: Path
) -> None:
    alone = replace(TINY, numbers=(11,))
    copy = write_amigos_twin(tmp_path / "copy", alone)
    found, expected = digests(copy), digests(twin)
    assert len(found) == 3
    for name in found.keys() - {"TWIN.toml"}:
        assert found[name] == expected[name], name
    (copy / "Face_Videos" / "P11_18_face.mov").unlink()
    told: list[tuple[int, int]] = []
    write_amigos_twin(copy, alone, progress=lambda done, total: told.append((done, total)))
    assert told == [(2, 2)]
    assert digests(copy) == found


def test_another_process_writes_the_same(tmp_path: Path) -> None:
    one = write_amigos_twin(tmp_path / "one", FACELESS)
    two = write_amigos_twin(tmp_path / "two", FACELESS, workers=2)
    assert digests(one) == digests(two)


def test_permuted_labels_are_dealt_within_each_person(tmp_path: Path) -> None:
    plain = write_amigos_twin(tmp_path / "plain", FACELESS)
    permuted = write_amigos_twin(tmp_path / "permuted", replace(FACELESS, permuted=True))
    name = "Data_Preprocessed/Data_Preprocessed_P01.mat"
    before, after = read_trials(plain / name), read_trials(permuted / name)
    moved = 0
    for own, dealt in zip(before, after, strict=True):
        assert own.clip == dealt.clip
        np.testing.assert_array_equal(own.ecg_right, dealt.ecg_right)
        np.testing.assert_array_equal(own.gsr, dealt.gsr)
        moved += not np.array_equal(own.ratings, dealt.ratings)
    assert moved > 10
    assert sorted(t.ratings.tolist() for t in before) == sorted(t.ratings.tolist() for t in after)


def test_a_conductance_twin_is_told_apart(tmp_path: Path) -> None:
    folder = write_amigos_twin(tmp_path / "twin", replace(FACELESS, gsr="conductance"))
    trials = open_amigos(folder).read_subject("P01")
    assert {r.eda.unit for r in trials.recordings if r.eda} == {"uS"}


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "Data_Preprocessed_P01.mat").write_text("somebody's data")
    with pytest.raises(OutputError, match="E_OUTPUT"):
        write_amigos_twin(tmp_path, FACELESS)
    twin = write_amigos_twin(tmp_path / "new", FACELESS)
    with pytest.raises(OutputError, match="E_OUTPUT"):
        write_amigos_twin(twin, replace(FACELESS, seed=6))


@pytest.mark.parametrize(
    "changed",
    [{"participants": 0}, {"numbers": (41,)}, {"clip_scale": 0.0}, {"effect": 1.5},
     {"frame_rate": 0.0}, {"noise": 1.1}, {"noise": -0.1}, {"designed": 0.9}],
)  # fmt: skip
def test_impossible_settings_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(SessionError, match="E_CONFIG"):
        TwinSettings(**changed)  # type: ignore[arg-type]
    assert TwinSettings(participants=2).subjects == ("P01", "P02")


def best_by_length(letter: str) -> int:
    """Short clips whose design the most frequent design of clips of that many segments tells."""
    groups: dict[int, list[bool]] = defaultdict(list)
    for clip in SHORT_CLIPS:
        groups[segment_count(CLIP_DURATIONS[clip])].append(letter in QUADRANTS[clip])
    return sum(max(sum(group), len(group) - sum(group)) for group in groups.values())


def test_clip_lengths_tell_the_design_as_in_the_corpus() -> None:
    assert {clip: segment_count(length) for clip, length in CLIP_DURATIONS.items()} == SEGMENTS
    assert best_by_length("HV") == 13
    assert best_by_length("HA") == 12


def test_effects_are_weak_and_absent_where_asked() -> None:
    """Sign agreement of what a face or a body shows with what is rated, over 40 people.

    Without an effect it is 0.503 on average over 30 seeds, with a standard deviation of 0.02 from
    seed to seed, since people's biases are drawn once each; the bounds are four of those.
    """

    def agreement(effect: float) -> tuple[float, float]:
        right = []
        for number in range(40):
            for clip in SHORT_CLIPS:
                rules = TwinAffect(effect)
                trial = draw_trial(clip, 6.0, subject_id=str(number), seed=1, rules=rules)
                face, body = trial.face.values[-30:, 0].mean(), trial.body.values[-30:, 1].mean()
                right.append(
                    ((face > 0) == (trial.ratings[1] > 5), (body > 0) == (trial.ratings[0] > 5))
                )
        valence, arousal = np.mean(right, axis=0).tolist()
        return valence, arousal

    assert TARGETS[:2] == ("valence", "arousal")
    assert all(0.58 < share < 0.70 for share in agreement(0.5))
    assert all(0.42 < share < 0.58 for share in agreement(0.0))


CLEAR = TwinAffect(effect=1.0, noise=0.0, designed=0.8)


def test_without_noise_what_is_rated_is_what_is_shown_and_meant() -> None:
    for number in range(5):
        for clip in SHORT_CLIPS:
            trial = draw_trial(clip, 60.0, subject_id=str(number), seed=1, rules=CLEAR)
            valence, arousal, liking = (trial.ratings[[1, 0, 3]] - 5.0) / 4.0
            shown = np.array([trial.face.values[:, 0].mean(), trial.body.values[100:, 1].mean()])
            np.testing.assert_allclose([valence, arousal], shown, atol=0.3)  # it moves: sd 0.12
            assert (valence > 0) == (liking > 0) == ("HV" in QUADRANTS[clip])
            assert (arousal > 0) == ("HA" in QUADRANTS[clip])
            assert min(abs(valence), abs(arousal)) > 0.4


def test_clips_move_people_as_far_as_they_are_designed_to() -> None:
    felt = []
    for designed in (0.0, 0.3, 0.8):
        rules = TwinAffect(effect=1.0, noise=0.0, designed=designed)
        rated = [draw_trial(c, 6.0, subject_id="1", seed=2, rules=rules).ratings[:2]
                 for c in SHORT_CLIPS]  # fmt: skip
        felt.append((np.array(rated) - 5.0) / 4.0)
    signs = np.array([[1 if "HA" in QUADRANTS[c] else -1, 1 if "HV" in QUADRANTS[c] else -1]
                      for c in SHORT_CLIPS])  # fmt: skip
    np.testing.assert_allclose(felt[1] - felt[0], 0.3 * signs, atol=0.005)  # ratings are rounded
    np.testing.assert_allclose(felt[2] - felt[0], 0.8 * signs, atol=0.16)  # and end at 1 and 9


def test_noise_is_a_factor_on_what_is_one_persons() -> None:
    def spread(noise: float) -> float:
        rules = TwinAffect(effect=1.0, noise=noise, designed=0.0)
        rated = [draw_trial("4", 6.0, subject_id=str(n), seed=1, rules=rules).ratings[0]
                 for n in range(60)]  # fmt: skip
        return float(np.std(rated))

    assert spread(0.0) == pytest.approx(0.0, abs=1e-9)
    assert spread(0.5) == pytest.approx(0.5 * spread(1.0), rel=0.15)


def test_the_eeg_follows_affect_only_where_asked(tmp_path: Path) -> None:
    clear = replace(FACELESS, effect=1.0, noise=0.0, designed=0.8)
    names = eeg_feature_names(open_eeg(tmp_path / "plain", clear)[0].eeg.channels)
    asymmetry, beta = names.index("eeg_F3-F4_alpha"), names.index("eeg_O1_beta")
    for recordings, follows in (
        (open_eeg(tmp_path / "affect", replace(clear, eeg="affect")), True),
        (open_eeg(tmp_path / "nothing", clear), False),
    ):
        shown = np.array([features_of(recording) for recording in recordings])
        rated = np.array([recording.labels.values[0, :2] for recording in recordings])
        if not follows:
            assert np.ptp(shown, axis=0).max() == 0.0
            continue
        for feature, target, sign in ((asymmetry, 0, -1), (beta, 1, 1)):
            correlation = np.corrcoef(shown[:, feature], rated[:, target])[0, 1]
            assert sign * correlation > 0.9
        crossed = np.corrcoef(shown[:, asymmetry], rated[:, 1])[0, 1]
        assert abs(crossed) < 0.6


def open_eeg(folder: Path, settings: TwinSettings) -> tuple[Any, ...]:
    (person,) = open_amigos(write_amigos_twin(folder, settings))
    return person.recordings


def features_of(recording: Any) -> Any:
    """Of the stimulus."""
    span = np.array([[0.0, recording.labels.times[-1]]])
    return eeg_features(eeg_power(recording.eeg), span)[0]


def test_other_signals_do_not_depend_on_the_eeg_and_the_traits(tmp_path: Path) -> None:
    plain = write_amigos_twin(tmp_path / "plain", FACELESS)
    other = replace(FACELESS, eeg="affect", personality=True)
    asked = write_amigos_twin(tmp_path / "asked", other)
    assert not (plain / "personality.csv").exists()
    name = "Data_Preprocessed/Data_Preprocessed_P01.mat"
    for one, two in zip(read_trials(plain / name), read_trials(asked / name), strict=True):
        np.testing.assert_array_equal(one.ecg_right, two.ecg_right)
        np.testing.assert_array_equal(one.gsr, two.gsr)
        np.testing.assert_array_equal(one.ratings, two.ratings)
        assert one.eeg.shape == two.eeg.shape
        assert len(one.eeg) == 0 or not np.array_equal(one.eeg, two.eeg)
    traits = read_personality(asked / "personality.csv")
    assert list(traits) == ["P01"]
    assert traits["P01"].shape == (len(TRAITS),)
    assert ((traits["P01"] >= 1) & (traits["P01"] <= 7)).all()
    write_amigos_twin(asked, other)  # it goes on in its folder, the table included
    stated = tomllib.loads((asked / "TWIN.toml").read_text())
    assert (stated["eeg"], stated["personality"], stated["noise"]) == ("affect", True, 1.0)
