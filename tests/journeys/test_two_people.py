"""Two people in the picture: the chosen one is scored, of the other one nothing is ever written.

The scenes are put together from two real videos (``benchmarks/person_scenes.py``), so it is known
who is where. In one variant the other head is magenta: then every picture that was written can be
searched for its pixels.
"""

from __future__ import annotations

import base64
import html
import io
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectscope.datasets.prepared_trial import PreparedSettings, TrialTask, make_trial
from affectscope.errors import ModelError
from affectscope.inference.person_photo import photo_check
from affectscope.io.model_files import cache_folder, face_model, identity_model
from affectscope.io.session import open_session
from affectscope.picture import ImageArray
from affectscope.preprocessing.chosen_person import PersonTracker
from affectscope.preprocessing.face import FaceDetector
from affectscope.preprocessing.face_tracking import FaceSample, PersonSearch, follow_face
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import PersonChoice
from person_scenes import (
    Actor,
    Head,
    Place,
    cut_head,
    path,
    scene,
    tinted,
    tinted_pixels,
    write_scene,
)

pytestmark = pytest.mark.usefixtures("needs_face_model")

SIZE, FACE, RATE = (480, 270), 84, 8.0
LEFT, RIGHT = (120.0, 130.0), (360.0, 135.0)
CROSSED = path((0, *LEFT), (1, *LEFT), (3, *RIGHT)), path((0, *RIGHT), (1, *RIGHT), (3, *LEFT))

SCENES: dict[str, tuple[Place, Place, float]] = {
    "side by side": (path((0, *LEFT)), path((0, *RIGHT)), 3),
    "crossing": (*CROSSED, 4.5),
    "leaving and coming back": (path((0, *LEFT), away=[(1, 3.5)]), path((0, *RIGHT)), 5),
    "the other in the person's place": (
        path((0, *LEFT), (0.8, *LEFT), (1.6, -90, 130)),
        path((0, *RIGHT), (2, *RIGHT), (3.2, *LEFT)),
        6,
    ),
}
"""The person's path, the other one's, and seconds."""


@pytest.fixture(scope="module")
def heads(real_data: Path, detector: FaceDetector) -> tuple[Head, Head]:
    """The person's and the other one's."""
    names = ("single_face.mp4", "WolfgangLanger_Pexels.mp4")
    own, other = (
        cut_head(real_data / "faces" / name, detector, face=FACE, count=12) for name in names
    )
    return own, other


def followed(name: str, heads: tuple[Head, Head], detector: FaceDetector) -> list[FaceSample]:
    own, other, seconds = SCENES[name]
    actors = [Actor(heads[0], own), Actor(heads[1], other)]
    frames = scene(actors, seconds=seconds, rate=RATE, size=SIZE)
    search = PersonSearch(detector, PersonTracker(PersonChoice("left")))
    return list(follow_face(frames, search, crop_size=112, minimum_quality=0.3))


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("side by side", 0.99),
        ("crossing", 0.2),
        ("leaving and coming back", 0.45),
        ("the other in the person's place", 0.12),
    ],
)
def test_V14_V15_only_the_chosen_person_is_scored(
    name: str, least: float, heads: tuple[Head, Head], detector: FaceDetector
) -> None:
    own = SCENES[name][0]
    samples = followed(name, (heads[0], tinted(heads[1])), detector)
    scored = [sample for sample in samples if sample.crop is not None]
    assert len(scored) >= least * len(samples)
    for sample in scored:
        place = own(sample.time)
        assert place is not None, sample.time
        assert sample.box is not None
        assert abs(sample.box[0] + sample.box[2] / 2 - place[0]) < 0.4 * FACE, sample.time
        assert sample.crop is not None
        assert tinted_pixels(sample.crop) == 0, sample.time


def pictures_in(text: str) -> list[ImageArray]:
    """Every picture of a page; also those in drawings, whose text may be broken into lines."""
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", text)
    opened = [Image.open(io.BytesIO(base64.b64decode(code))) for code in found]
    return [np.asarray(picture.convert("RGB")) for picture in opened]


def session(folder: Path, name: str, heads: tuple[Head, Head], **face: str) -> Path:
    folder.mkdir()
    own, other, seconds = SCENES[name]
    actors = [Actor(heads[0], own), Actor(heads[1], other)]
    frames = scene(actors, seconds=seconds, rate=RATE, size=SIZE)
    write_scene(folder / "face.mp4", frames, rate=RATE, size=SIZE)
    lines = ["format = 1", 'subject_id = "P01"', "[face]", 'file = "face.mp4"']
    lines += [f"{key} = {value}" for key, value in face.items()]
    (folder / "session.toml").write_text("\n".join(lines))
    return folder


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Path]]:
    """All files outside the session's folder that were written since the test began."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    before = {file: file.stat().st_mtime_ns for file in cache_folder().rglob("*")}

    def written() -> list[Path]:
        cached = [
            file
            for file in cache_folder().rglob("*")
            if before.get(file) != file.stat().st_mtime_ns
        ]
        own = [file for file in tmp_path.rglob("*") if "session" not in file.parts]
        return [
            file
            for file in (*cached, *own)
            if file.is_file() and not file.parent.name.startswith("weasyprint-")  # its fonts
        ]

    return written


def test_V14_nothing_that_is_written_shows_the_other_person(
    tmp_path: Path, heads: tuple[Head, Head], command, watched: Callable[[], list[Path]]
) -> None:
    folder = session(
        tmp_path / "session", "crossing", (heads[0], tinted(heads[1])), person='"left"'
    )
    out = tmp_path / "out"
    for verb in ("people", "assess"):
        ended = command(verb, folder, "--out", out, "--rate", RATE)
        assert ended.status == 0, ended.err
    page = (out / "people.html").read_text()
    names = {file.name for file in watched()}
    assert {"people.html", "report.html", "result.json", "timeline.parquet"} <= names
    # Tables of numbers, pages that are searched, and one that is drawn from such a page.
    kinds = {".html", ".json", ".csv", ".parquet", ".pdf"}
    assert {Path(name).suffix for name in names} <= kinds
    report = (out / "report.html").read_text()
    for text in (page, report):
        assert text.count("data:image") == len(pictures_in(text))
        assert "<canvas" not in text
        assert all(tinted_pixels(picture) == 0 for picture in pictures_in(text))
    (sheet,) = pictures_in(page)
    assert sheet.shape[1] > 1000
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", page)

    result = json.loads((out / "result.json").read_text())
    codes = [notice["code"] for notice in result["notices"]]
    assert codes.count("W_PERSON_LOST") == 1
    assert "no face of others was scored or stored" in report
    timeline = pd.read_parquet(out / "timeline.parquet")
    assert not timeline.loc[timeline["time"] > 2.5, "face_valid"].any()
    assert timeline.loc[timeline["time"] < 1.5, "face_valid"].all()


def test_V14_the_sheet_shows_nobody_else_and_offers_the_others_track(
    tmp_path: Path, heads: tuple[Head, Head], command
) -> None:
    """In natural colours; the line that the page gives makes the program follow the other one."""
    folder = session(tmp_path / "session", "side by side", heads, person='"left"')
    out = tmp_path / "out"
    ended = command("people", folder, "--out", out, "--rate", RATE)
    assert ended.status == 0, ended.err
    page = (out / "people.html").read_text()
    (sheet,) = pictures_in(page)
    assert likeness(sheet, heads[0]) > 0.9
    alone = next(iter(scene([Actor(heads[1], path((0, *RIGHT)))], seconds=1, rate=1, size=SIZE)))
    shown = Image.fromarray(alone.rgb).resize((360, 202), Image.Resampling.BOX)
    assert likeness(np.asarray(shown), heads[1]) > 0.9  # were they on the sheet, it would be seen
    assert likeness(sheet, heads[1]) < 0.7  # as much as the chosen face is like theirs

    (lines,) = re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)
    toml = folder / "session.toml"
    toml.write_text(toml.read_text().replace('person = "left"', html.unescape(lines)))
    (box,) = open_session(folder).person.boxes
    assert box.box[0] + box.box[2] / 2 == pytest.approx(RIGHT[0], abs=10)
    ended = command("assess", folder, "--out", out, "--rate", RATE)
    assert ended.status == 0, ended.err
    assert json.loads((out / "result.json").read_text())["coverage"]["face"]["usable"] > 0.9


def likeness(picture: ImageArray, head: Head) -> float:
    """The highest correlation of a face, as large as in the sheet's scenes, with any place."""
    from scipy.signal import correlate

    side = round(FACE * 360 / SIZE[0])
    grey = np.asarray(Image.fromarray(picture).convert("L"), np.float64)
    window = np.full((side, side), 1 / side**2)
    mean = correlate(grey, window, "valid", "fft")
    spread = np.sqrt(np.maximum(correlate(grey**2, window, "valid", "fft") - mean**2, 25))
    best = 0.0
    for frame in head.frames[[0, -1]]:
        edge = round((len(frame) - FACE) / 2)
        face = Image.fromarray(frame[edge:-edge, edge:-edge]).convert("L").resize((side, side))
        pattern = np.asarray(face, np.float64)
        pattern = (pattern - pattern.mean()) / pattern.std() / pattern.size
        best = max(best, float((correlate(grey, pattern, "valid", "fft") / spread).max()))
    return best


def test_V15_a_photo_finds_the_person_again_after_a_crossing(
    tmp_path: Path, heads: tuple[Head, Head], detector: FaceDetector
) -> None:
    try:
        identity_model()
    except ModelError as error:
        pytest.skip(str(error))
    actor = Actor(heads[0], path((0, 150, 120)))
    frame = next(iter(scene([actor], seconds=1, rate=1, size=(300, 240))))
    Image.fromarray(frame.rgb).save(tmp_path / "person.png")
    own, other, seconds = SCENES["crossing"]
    frames = scene(
        [Actor(heads[0], own), Actor(heads[1], other)], seconds=seconds, rate=RATE, size=SIZE
    )
    tracker = PersonTracker(PersonChoice("photo"), photo_check(tmp_path / "person.png", detector))
    search = PersonSearch(detector, tracker)
    samples = list(follow_face(frames, search, crop_size=112, minimum_quality=0.3))
    found = [sample for sample in samples if sample.box is not None]
    assert found[-1].time == samples[-1].time
    assert len(found) > 0.5 * len(samples)
    for sample in found:
        place = own(sample.time)
        assert place is not None
        assert sample.box is not None
        assert abs(sample.box[0] + sample.box[2] / 2 - place[0]) < 0.4 * FACE, sample.time
    assert [notice.code for notice in tracker.notices()] == ["W_PERSON_LOST"]


def test_V14_what_training_keeps_shows_nobody_else(
    tmp_path: Path, heads: tuple[Head, Head]
) -> None:
    folder = session(
        tmp_path / "session", "crossing", (heads[0], tinted(heads[1])), person='"left"'
    )
    (folder / "labels.csv").write_text("time,valence\n0,0.1\n4,0.1\n")
    with (folder / "session.toml").open("a") as toml:
        toml.write('\n[labels]\nfile = "labels.csv"\n')
    opened = open_session(folder)
    settings = PreparedSettings(Preprocessing(), RATE, faces=True, person=opened.person)
    make_trial(TrialTask(opened.recording, settings, tmp_path / "entry"), face_model())
    faces = np.load(tmp_path / "entry" / "faces.npy")
    present = np.load(tmp_path / "entry" / "face_present.npy")
    assert 0.3 < present.mean() < 0.7
    assert not faces[~present].any()
    assert tinted_pixels(np.moveaxis(faces, 1, -1)) == 0
