"""A video that breaks the decoder costs its face, never the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from affectscope import assess, open_session
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.io import video_process

pytestmark = pytest.mark.usefixtures("needs_face_model")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A faultless simulated session; these tests leave it as it is."""
    return write_session(
        tmp_path_factory.mktemp("whole") / "session",
        synthetic_person("simulated-whole", 21),
        random_course(40.0, 21),
        settings=SyntheticSettings(sampling_rate=128.0, frame_rate=4.0),
    )


@pytest.fixture
def decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Make the program decode with a function of our own, which does something after 20 s."""

    def use(statement: str) -> None:
        (tmp_path / "strange_decoder.py").write_text(
            "import os, signal, time\n"
            "from affectscope.io.video_decoding import decode\n"
            "def decoder(order, alive):\n"
            "    for item in decode(order, alive):\n"
            f"        if getattr(item, 'time', 0) >= 20: {statement}\n"
            "        yield item\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(video_process, "DECODER", "strange_decoder:decoder")

    yield use
    video_process._waiting.end()


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "E_DECODER_CRASH"),
        ("time.sleep(600)", "E_DECODER_TIMEOUT"),
    ],
)
def test_V29_a_broken_decoder_leaves_what_came_before_and_the_signals(
    session: Path,
    decoder: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    code: str,
) -> None:
    decoder(statement)
    monkeypatch.setattr(video_process, "PATIENCE", 4.0)
    assessment = assess(open_session(session), rate=1.0)
    assert assessment.status == "DEGRADED"
    notices = {notice.code: notice for notice in assessment.notices}
    assert notices[code].modality == "face"
    assert assessment.coverage["face"].usable == pytest.approx(0.5, abs=0.06)
    assert assessment.coverage["ecg"].usable > 0.95
    assert assessment.coverage["eda"].usable > 0.95


def test_V18_a_simulated_person_is_not_frozen(session: Path) -> None:
    assessment = assess(open_session(session), rate=1.0)
    codes = {notice.code for notice in assessment.notices}
    assert codes <= {"W_NO_AFFECT_SCORE", "W_TOO_SHORT"}
    assert assessment.coverage["face"].usable > 0.95
