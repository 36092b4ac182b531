"""A session of which the user left parts out, from its files to result.json.

Simulated people and untrained weights: no number here is about a human being.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest
import torch

from affectscope.datasets.synthetic import (
    SyntheticPerson,
    SyntheticSettings,
    synthetic_person,
    synthetic_recording,
    therapy_course,
)
from affectscope.datasets.synthetic_face import FaceCourse, FaceRenderer
from affectscope.datasets.synthetic_look import frame_position
from affectscope.errors import SessionError
from affectscope.inference.predictor import Predictor
from affectscope.io.session import Session
from affectscope.io.video import inspect_video
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint
from affectscope.picture import ImageArray
from affectscope.preprocessing.excluded import excluded_at
from affectscope.preprocessing.face import FaceDetector
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import (
    ExcludedSpan,
    FloatArray,
    PersonChoice,
    Phase,
    Recording,
    Signal,
    VideoTrack,
)
from affectscope.therapy.assessment import Assessment, assess
from affectscope.therapy.first_page import condensed
from affectscope.therapy.quality_figure import LEFT_OUT, quality_over_time
from affectscope.therapy.quality_table import use_of
from affectscope.therapy.results import result
from affectscope.therapy.session_walk import FACE_BOX

SECONDS = 144.0
RATE = 0.5  # pictures a second
PHASES = (Phase("before", 0, 72), Phase("after", 72, 144))
SPANS = (
    ExcludedSpan(None, 20.0, 30.0, "sensor moved"),
    ExcludedSpan("face", 40.0, 54.0, "therapist in front of the camera"),
    ExcludedSpan("ecg", 90.0, 91.5, "cough."),
    ExcludedSpan("eda", 100.0, 107.0, "electrode pulled"),
)
BROWS, CHIN = 160.0, 318.0  # on the portrait, as ``synthetic_look`` has them
MIDDLE = (266.0, (BROWS + CHIN) / 2)


def pictures(person: SyntheticPerson, times: FloatArray) -> ImageArray:
    """(N, 540, 640) YUV 4:2:0 of a calm face whose head sways, so that no picture stands still."""
    at = np.arange(0.0, SECONDS + 1, 1 / 50)
    head, nothing = np.zeros((len(at), 5)), np.zeros(len(at))
    head[:, 0], head[:, 1] = 12 * np.sin(at / 3), 8 * np.cos(at / 4)
    course = FaceCourse(nothing, nothing, nothing, head, np.ones(len(at)))
    renderer = FaceRenderer(person.face, np.random.default_rng(1))
    parts = [times[first : first + 8] for first in range(0, len(times), 8)]
    visible = np.ones(8, dtype=np.bool_)
    return np.concatenate([renderer.render(course, part, visible[: len(part)]) for part in parts])


def film(path: Path, frames: ImageArray) -> VideoTrack:
    """Without loss, and each picture alone, so that one picture tells nothing of another."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(RATE))
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode())
    return inspect_video(path)


def spoiled(signal: Signal, name: str) -> Signal:
    values = signal.values.copy()
    inside = excluded_at(SPANS, name, signal.times)  # type: ignore[arg-type]
    values[inside] = 50 * np.random.default_rng(5).standard_normal(inside.sum())
    return replace(signal, values=values)


def session(recording: Recording, spans: Sequence[ExcludedSpan] = SPANS) -> Session:
    choice = PersonChoice()
    return Session(Path("session"), recording, PHASES, choice, {}, excluded=tuple(spans))


@pytest.fixture(scope="module")
def person() -> SyntheticPerson:
    return synthetic_person("simulated-01", 3)


@pytest.fixture(scope="module")
def signals(person: SyntheticPerson) -> Recording:
    settings = SyntheticSettings(sampling_rate=128.0)
    return synthetic_recording(person, therapy_course(SECONDS, 3), settings=settings)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    config = BMMNConfig(variant="bmmn", face_encoder="small")
    small = Preprocessing()
    return Predictor(
        BMMN(config).eval(), Checkpoint(config, small, "simulated people", ("s1",)), "0" * 12
    )


@pytest.fixture(scope="module")
def scored(
    signals: Recording,
    person: SyntheticPerson,
    predictor: Predictor,
    detector: FaceDetector,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Assessment, Assessment]:
    """The session, and the same with other samples and somebody else's face in its spans."""
    folder = tmp_path_factory.mktemp("film")
    times = np.arange(round(SECONDS * RATE)) / RATE
    frames, hidden = pictures(person, times), excluded_at(SPANS, "face", times)
    one = replace(signals, video=film(folder / "one.mkv", frames))
    other = frames.copy()
    other[hidden] = pictures(synthetic_person("simulated-02", 8), times[hidden])[:, :, ::-1]
    assert signals.ecg is not None
    assert signals.eda is not None
    two = replace(
        signals,
        video=film(folder / "two.mkv", other),
        ecg=spoiled(signals.ecg, "ecg"),
        eda=spoiled(signals.eda, "eda"),
    )
    return assess(session(one), predictor), assess(session(two), predictor)


def numbers(assessment: Assessment) -> dict[str, Any]:
    left_out = ("created", "video")  # which names the file
    return {name: value for name, value in result(assessment).items() if name not in left_out}


def test_what_lies_in_a_left_out_span_changes_no_number(
    scored: tuple[Assessment, Assessment],
) -> None:
    one, two = scored
    assert numbers(one) == numbers(two)
    assert numbers(one)["affect"]["valence"]["change"] is not None
    assert numbers(one)["physiology"]["RMSSD"]["change"] is not None
    pd.testing.assert_frame_equal(one.timeline, two.timeline)
    pd.testing.assert_frame_equal(one.quality, two.quality)
    pd.testing.assert_frame_equal(one.body_course, two.body_course)


def test_without_the_spans_there_are_other_numbers(
    scored: tuple[Assessment, Assessment], predictor: Predictor
) -> None:
    two = scored[1].session
    bare = replace(two, recording=replace(two.recording, video=None), excluded=())
    known = {measure.name: measure for measure in scored[1].body}
    found = {measure.name: measure for measure in assess(bare, predictor, rate=RATE).body}
    assert found["EDA level"].before != known["EDA level"].before


def test_a_left_out_modality_is_absent_and_a_row_without_any_has_no_score(
    scored: tuple[Assessment, Assessment],
) -> None:
    timeline = scored[0].timeline
    times = timeline["time"].to_numpy()
    for name in ("face", "ecg", "eda"):
        left_out = excluded_at(SPANS, name, times)  # type: ignore[arg-type]
        assert left_out.any()
        assert not timeline.loc[left_out, f"{name}_valid"].any()
    nothing = (times >= 20) & (times < 30)
    assert timeline.loc[nothing, "valence"].isna().all()
    assert timeline.loc[~nothing, "valence"].notna().mean() > 0.95
    assert timeline.loc[nothing, ["heart_rate", "eda_tonic", *FACE_BOX]].isna().all(axis=None)
    course = scored[0].body_course
    inside = excluded_at(SPANS, "ecg", course["time"].to_numpy())
    assert course.loc[inside, ["heart_rate", "rmssd"]].isna().all(axis=None)


def test_the_users_choice_degrades_nothing(signals: Recording, tmp_path: Path) -> None:
    """Also where it is all of a modality: here nobody looks at the video's empty pictures."""
    empty = np.full((round(SECONDS * RATE), 540, 640), 128, np.uint8)
    filmed = replace(signals, video=film(tmp_path / "empty.mkv", empty))
    spans = (*SPANS, ExcludedSpan("face", -1.0, 500.0, "not agreed to"))
    assessment = assess(session(filmed, spans))
    assert assessment.status == "OK"
    codes = [notice.code for notice in assessment.notices]
    assert codes == ["W_EXCLUDED"] * 5 + ["W_NO_AFFECT_SCORE"]
    assert assessment.coverage["face"].usable == 0
    assert (
        assessment.quality["face_excluded"].sum() == assessment.quality["face_recorded"].sum() > 0
    )


def test_the_users_choice_is_told(scored: tuple[Assessment, Assessment]) -> None:
    assessment = scored[0]
    codes = {notice.code for notice in assessment.notices}
    assert codes == {"W_EXCLUDED", "W_PHASE_COVERAGE"}  # of the face: every other second is filmed
    told = [one for one in result(assessment)["notices"] if one["code"] == "W_EXCLUDED"]
    assert told[0] == {
        "code": "W_EXCLUDED", "sentence": "Left out by the user: sensor moved.",
        "start": 20.0, "end": 30.0,
    }  # fmt: skip
    assert [notice.get("modality") for notice in told] == [None, "face", "ecg", "eda"]
    assert told[2]["sentence"] == "Left out by the user: cough."
    line = condensed(assessment.notices)["lines"][0]
    assert line["text"].startswith("Left out by the user: sensor moved. Face: Left out by the user")
    assert line["facts"] == "4 times, 0:32 minutes"


def test_left_out_time_counts_as_not_used(scored: tuple[Assessment, Assessment]) -> None:
    assessment = scored[0]
    lost = {"face": 24.0, "ecg": 11.5, "eda": 17.0}
    for name, seconds in lost.items():
        coverage = assessment.coverage[name]  # type: ignore[index]
        assert coverage.usable == pytest.approx(1 - seconds / SECONDS, abs=0.02)
        use = use_of(assessment.quality, name)  # type: ignore[arg-type]
        assert use.reasons == {"left out by the user": use.masked}
        assert use.masked == pytest.approx(seconds, abs=1.0 if name != "face" else 0.5 * SECONDS)
    assert assessment.phase_coverage["before"]["eda"] == pytest.approx(62 / 72, abs=0.02)
    figure = quality_over_time(assessment.quality)
    assert figure is not None
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "left out by the user" in labels
    from matplotlib.colors import to_hex

    colours = {to_hex(patch.get_facecolor()) for patch in figure.axes[0].patches}
    assert LEFT_OUT.lower() in colours


def test_the_box_follows_the_persons_face(
    scored: tuple[Assessment, Assessment], person: SyntheticPerson
) -> None:
    timeline = scored[0].timeline
    seen = timeline[timeline["face_valid"]]
    boxes = seen[list(FACE_BOX)].to_numpy(np.float64)
    x, y, width, height = boxes.T
    assert ((boxes >= 0) & (boxes <= 1)).all()
    assert (x + width <= 1).all()
    assert (y + height <= 1).all()
    assert np.isfinite(boxes).all()
    rest = np.array(frame_position(person.face.look, MIDDLE))
    times = seen["time"].to_numpy()
    place = rest[:, None] + np.array([12 * np.sin(times / 3), 8 * np.cos(times / 4)])
    centre = np.array([(x + width / 2) * 640, (y + height / 2) * 360])
    apart: FloatArray = centre - place
    assert np.abs(apart.mean(axis=1)).max() < 12, apart.mean(axis=1)  # where a face's middle is
    assert apart.std(axis=1).max() < 4  # pixels, while the head moves by 24 and by 16
    face = (CHIN - BROWS) * person.face.look.scale
    assert face < np.median(height * 360) < 1.4 * face


def test_a_session_that_is_left_out_whole_is_refused_with_the_reason(signals: Recording) -> None:
    all_of_it = [ExcludedSpan(None, 0.0, 200.0, "wrong person")]
    with pytest.raises(SessionError, match="Left out by the user: wrong person") as caught:
        assess(session(signals, all_of_it), rate=1.0)
    assert caught.value.code == "E_NO_USABLE_MODALITY"
