"""What the page's worker does, on a short simulated session and on plain files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
import torch

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    therapy_course,
    write_session,
)
from affectscope.errors import AffectScopeError, ModelError, OutputError
from affectscope.inference import predictor
from affectscope.io.model_files import face_model
from affectscope.io.session import open_session
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint, save_checkpoint
from affectscope.preprocessing.windows import Preprocessing
from affectscope.standing_worker import StandingWorker
from affectscope.therapy.assessment import assess
from affectscope.therapy.results import result
from affectscope.watched_process import Watch
from affectscope.web.work import (
    ExportTask,
    InspectTask,
    PageTask,
    ScoreTask,
    StudyTask,
    make_work,
)


def do(task: PageTask) -> list[float]:
    """Do a task right here; the shares that it told."""
    shares: list[float] = []

    def alive(share: float | None = None) -> None:
        if share is not None:
            shares.append(share)

    make_work()(task, alive)
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    return shares


def read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated session of 6 s with a video; skipped where faces cannot be found."""
    try:
        face_model()
    except ModelError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("recorded") / "s1"
    settings = SyntheticSettings(sampling_rate=64.0, frame_rate=5)
    return write_session(
        folder, synthetic_person("P1", 1), therapy_course(6.0, 1), settings=settings
    )


# Scoring ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scored:
    """What a task left, and the shares that it told."""

    output: Path
    shares: list[float]


@pytest.fixture(scope="module")
def scored(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    output = tmp_path_factory.mktemp("scored") / "result"
    return Scored(output, do(ScoreTask(recorded, output, None, 2.0)))


def test_a_scored_session_is_what_assess_makes_of_it(scored: Scored, recorded: Path) -> None:
    expected = json.loads(json.dumps(result(assess(open_session(recorded), rate=2.0))))
    found = read(scored.output / "result.json")
    assert {**found, "created": ""} == {**expected, "created": ""}
    assert found["status"] == "DEGRADED"
    assert {path.name for path in scored.output.iterdir()} >= {
        "report.html",
        "report.pdf",
        "timeline.parquet",
        "timeline.csv",
        "quality.parquet",
        "quality.csv",
        "preview.mp4",
        "preview.json",
    }


def test_the_preview_plays_and_says_where_it_lies_in_time(scored: Scored, recorded: Path) -> None:
    facts = read(scored.output / "preview.json")
    with av.open(str(scored.output / "preview.mp4")) as video:
        stream = video.streams.video[0]
        assert (stream.width, stream.height) == (facts["width"], facts["height"])
        assert stream.codec_context.name == "h264"
        assert sum(1 for _ in video.decode(video=0)) == facts["frames"] == 30
    track = open_session(recorded).recording.video
    assert track is not None
    assert facts["clock_offset"] + facts["clock_rate"] * facts["first_time"] == track.start_time


def test_progress_runs_through_both_halves_to_the_end(scored: Scored) -> None:
    assert 0 < scored.shares[0] < 0.8
    assert 0.8 in scored.shares
    assert any(0.8 < share < 1 for share in scored.shares)
    assert scored.shares[-1] > 0.95


@pytest.mark.usefixtures("without_pdf")
def test_a_video_that_is_watched_twice_counts_half_each_time(
    recorded: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(recorded, tmp_path / "s1")
    toml = folder / "session.toml"
    toml.write_text(toml.read_text() + '\n[sync]\nmethod = "content"\n')
    shares = do(ScoreTask(folder, tmp_path / "out", None, 1.0))
    assert min(shares) < 0.4 < 0.8 < max(shares)
    assert read(tmp_path / "out" / "result.json")["status"] == "DEGRADED"


def without_pictures(video: bytes) -> bytes:
    """An MP4 whose index is whole and whose pictures are zeros."""
    start = video.index(b"mdat")
    size = int.from_bytes(video[start - 4 : start]) - 8
    return video[: start + 4] + bytes(size) + video[start + 4 + size :]


@pytest.mark.usefixtures("without_pdf")
@pytest.mark.parametrize("spoil", [without_pictures, lambda video: video[:1000]])
def test_a_video_that_cannot_be_converted_costs_the_preview_only(
    recorded: Path, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    folder, output = shutil.copytree(recorded, tmp_path / "s1"), tmp_path / "out"
    (folder / "face.mp4").write_bytes(spoil((recorded / "face.mp4").read_bytes()))
    output.mkdir()
    (output / "preview.mp4").write_bytes(b"of an earlier try")
    do(ScoreTask(folder, output, None, 1.0))
    assert read(output / "result.json")["status"] == "DEGRADED"
    assert list(read(output / "preview.json")) == ["problem"]
    assert "face.mp4" in read(output / "preview.json")["problem"]
    assert not (output / "preview.mp4").exists()


@pytest.mark.usefixtures("without_pdf")
def test_a_refused_session_is_a_finished_task(tmp_path: Path) -> None:
    folder = write_session(
        tmp_path / "input",
        synthetic_person("P7", 7),
        therapy_course(10.0, 7),
        settings=SyntheticSettings(sampling_rate=64.0, frame_rate=0),
    )
    (folder / "signals.csv").write_bytes(b"")
    do(ScoreTask(folder, tmp_path / "out", None, None))
    found = read(tmp_path / "out" / "result.json")
    assert (found["status"], found["code"]) == ("REJECTED", "E_NO_USABLE_MODALITY")
    assert (found["subject_id"], found["session_id"]) == ("P7", "input")
    assert (tmp_path / "out" / "report.html").is_file()
    assert not (tmp_path / "out" / "preview.json").exists()


def test_a_missing_checkpoint_is_an_error_of_the_task_and_no_result(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="E_CHECKPOINT"):
        do(ScoreTask(tmp_path, tmp_path / "out", tmp_path / "absent", None))
    assert not (tmp_path / "out" / "result.json").exists()


def checkpoint(folder: Path, seed: int) -> Path:
    config = BMMNConfig(variant="bmmn", modalities=("ecg", "eda"), face_encoder="small")
    model = BMMN(config, torch.Generator().manual_seed(seed))
    save_checkpoint(folder, model, Checkpoint(config, Preprocessing(), "untrained", ()))
    return folder


@pytest.mark.usefixtures("without_pdf")
def test_the_model_is_loaded_once_and_again_when_another_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    load = predictor.load_checkpoint

    def counted(folder: Path | str) -> predictor.Predictor:
        found = load(folder)
        loaded.append(found.checkpoint_id)
        return found

    monkeypatch.setattr(predictor, "load_checkpoint", counted)
    first, second = checkpoint(tmp_path / "a", 1), checkpoint(tmp_path / "b", 2)
    work = make_work()

    def score(model: Path) -> None:
        work(ScoreTask(tmp_path / "absent", tmp_path / "out", model, None), lambda share=None: None)

    for model in (first, first, second, second):
        score(model)
    assert len(loaded) == len(set(loaded)) == 2
    checkpoint(second, 3)  # replaced where it lay
    score(second)
    assert len(set(loaded)) == 3


# Looking at files ---------------------------------------------------------------------------


def test_an_inspection_proposes_what_files_state(recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s1"
    folder.mkdir()
    for name in ("face.mp4", "signals.csv"):
        shutil.copy(recorded / name, folder)
    do(InspectTask(folder, tmp_path / "found.json"))
    found = read(tmp_path / "found.json")
    assert found["questions"] == []
    assert found["proposed"]["face"] == {"file": "face.mp4"}
    signal = {"file": "signals.csv", "sampling_rate": 64.0}
    assert found["proposed"]["ecg"] == {**signal, "channel": "ECG (mV)", "unit": "mV"}
    assert found["proposed"]["eda"] == {**signal, "channel": "EDA (uS)", "unit": "uS"}
    video, table = found["files"]
    assert (video["kind"], video["channels"], video["problem"]) == ("video", [], None)
    assert [(each["name"], each["number"], each["named"]) for each in table["channels"]] == [
        ("time (s)", 1, []),
        ("ECG (mV)", 2, ["ecg"]),
        ("EDA (uS)", 3, ["eda"]),
    ]


def write_table(path: Path, header: str) -> None:
    """Of two columns."""
    rows = "".join(f"{0.1 * (n % 7):.2f},{1 + 0.01 * n:.2f}\n" for n in range(200))
    path.parent.mkdir()
    path.write_text(f"{header}\n{rows}")


def test_what_no_file_states_is_asked(tmp_path: Path) -> None:
    write_table(tmp_path / "in" / "a.csv", "ECG,GSR (kHz)")
    (tmp_path / "in" / "b.csv").write_text("")
    do(InspectTask(tmp_path / "in", tmp_path / "found.json"))
    found = read(tmp_path / "found.json")
    assert found["proposed"] == {
        "face": None,
        "ecg": {"file": "a.csv", "channel": "ECG", "sampling_rate": None, "unit": None},
        "eda": {"file": "a.csv", "channel": "GSR (kHz)", "sampling_rate": None, "unit": "kHz"},
    }
    asked = [(each["about"], each["what"]) for each in found["questions"]]
    assert asked == [
        ("ecg", "sampling_rate"),
        ("ecg", "unit"),
        ("eda", "sampling_rate"),
        ("eda", "problem"),
    ]
    assert "kHz" in found["questions"][-1]["sentence"]
    assert [(each["name"], each["kind"]) for each in found["files"]][1] == ("b.csv", None)
    assert "no data" in found["files"][1]["problem"]


def test_a_channel_that_no_name_tells_is_the_users_to_choose(tmp_path: Path) -> None:
    write_table(tmp_path / "in" / "a.csv", "left (mV),right (mV)")
    do(InspectTask(tmp_path / "in", tmp_path / "found.json"))
    found = read(tmp_path / "found.json")
    assert found["proposed"] == {"face": None, "ecg": None, "eda": None}
    assert [(each["about"], each["what"]) for each in found["questions"]] == [
        ("ecg", "channel"),
        ("eda", "channel"),
    ]
    assert found["questions"][0]["choices"] == [
        {"file": "a.csv", "channel": name, "name": name} for name in ("left (mV)", "right (mV)")
    ]


def test_the_channel_that_is_the_ecg_is_not_offered_as_the_eda(tmp_path: Path) -> None:
    write_table(tmp_path / "in" / "a.csv", "ECG (mV),right (uS)")
    do(InspectTask(tmp_path / "in", tmp_path / "found.json"))
    found = read(tmp_path / "found.json")
    assert found["proposed"]["ecg"]["channel"] == "ECG (mV)"
    choices = {each["about"]: each["choices"] for each in found["questions"]}
    assert [choice["name"] for choice in choices["eda"]] == ["right (uS)"]


# The worker's process -----------------------------------------------------------------------


def test_tasks_travel_to_a_process_and_their_errors_back(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    with closing(StandingWorker[PageTask](make_work, Watch(memory=2 << 30))) as worker:
        worker.do(ExportTask(((tmp_path / "a", "a"),), "{}", tmp_path / "export.zip"))
        with pytest.raises(OutputError, match="E_VALUE"):
            worker.do(ExportTask(((tmp_path / "a", "../a"),), "{}", tmp_path / "other.zip"))
        with pytest.raises(AffectScopeError, match="E_SESSION"):
            worker.do(InspectTask(tmp_path / "absent", tmp_path / "found.json"))
    assert zipfile.is_zipfile(tmp_path / "export.zip")


def test_W25_a_task_that_is_logged_names_nobody() -> None:
    place, name = Path("/data/1"), "Canary"
    tasks = (
        ExportTask(((place / name, name),), f'{{"{name}": 1}}', place),
        StudyTask(((name, place / name),), place, name),
        InspectTask(place, place, ((name, ","),)),
    )
    assert name not in repr(tasks)
    assert "/data/1" in repr(tasks)


def test_the_server_can_name_tasks_without_loading_what_does_them() -> None:
    code = "import sys, affectscope.web.work; print(*sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "pandas", "matplotlib", "av", "weasyprint", "fastapi", "sqlalchemy"}
    assert not heavy & set(said.stdout.split())
