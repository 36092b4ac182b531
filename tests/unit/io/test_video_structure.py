"""Boxes and elements that contradict one another: what libav plays without a word is told."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from affectscope.io.video import FrameReader, inspect_video
from affectscope.io.video_boxes import mp4_flaw
from affectscope.io.video_elements import matroska_flaw
from mutations.pictures import made_video

FRAGMENTED = {"movflags": "+frag_keyframe+empty_moov"}
BOXES = ("moov", "mvhd", "trak", "tkhd", "mdia", "mdhd", "hdlr", "minf", "stbl", "stsd", "stts",
         "stsc", "stsz", "stco", "ctts", "edts", "elst")  # fmt: skip


def saved(folder: Path, content: bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def fast() -> bytes:
    return made_video("fast.mp4", {"movflags": "+faststart"})


@pytest.fixture(scope="module")
def fragmented() -> bytes:
    return made_video("fragmented.mp4", FRAGMENTED)


@pytest.fixture(scope="module")
def clusters() -> bytes:
    return made_video("clusters.mkv", {"cluster_time_limit": "200"})


def test_whole_files_have_no_flaw(
    tmp_path: Path, fast: bytes, fragmented: bytes, clusters: bytes
) -> None:
    for content in (fast, fragmented, made_video("plain.mp4", {})):
        assert mp4_flaw(saved(tmp_path, content, "a.mp4")) is None
    for content in (clusters, made_video("plain.mkv", {}), made_video("live.mkv", {"live": "1"})):
        assert matroska_flaw(saved(tmp_path, content, "a.mkv")) is None


def test_real_videos_have_no_flaw(real_data: Path) -> None:
    paths = [*(real_data / "faces").glob("*.mp4"), *(real_data / "faces").glob("*.mov")]
    assert len(paths) == 5
    assert [mp4_flaw(path) for path in paths] == [None] * 5


@pytest.mark.parametrize("name", BOXES)
@pytest.mark.parametrize("by", [-1, 1, 16, 1 << 30])
def test_V02_a_box_whose_length_lies_is_a_flaw(
    tmp_path: Path, fast: bytes, name: str, by: int
) -> None:
    at = fast.index(name.encode()) - 4
    length = struct.unpack_from(">I", fast, at)[0] + by
    lying = fast[:at] + struct.pack(">I", length) + fast[at + 4 :]
    assert mp4_flaw(saved(tmp_path, lying, "a.mp4"))


@pytest.mark.parametrize("name", ["stts", "stsc", "stsz", "stco", "ctts", "mdhd"])
def test_V25_tables_that_list_other_numbers_are_a_flaw(
    tmp_path: Path, fast: bytes, name: str
) -> None:
    at = fast.index(name.encode()) + {"stsz": 12, "mdhd": 20}.get(name, 8)
    for number in (0, 1 << 20):
        lying = fast[:at] + struct.pack(">I", number) + fast[at + 4 :]
        assert mp4_flaw(saved(tmp_path, lying, "a.mp4")), number


@pytest.mark.parametrize(
    ("name", "after", "number"),
    [("mdhd", 16, 0x1400), ("ctts", 16, 0x7FFFFFFF), ("ctts", 16, 0x80000000)],
)
def test_V07_times_that_no_other_number_bears_out_are_a_flaw(
    tmp_path: Path, fast: bytes, name: str, after: int, number: int
) -> None:
    at = fast.index(name.encode()) + after
    lying = fast[:at] + struct.pack(">I", number) + fast[at + 4 :]
    assert mp4_flaw(saved(tmp_path, lying, "a.mp4"))


def test_V02_a_fragments_head_that_lies_is_a_flaw(tmp_path: Path, fragmented: bytes) -> None:
    at = fragmented.rindex(b"tfhd") + 7
    lying = fragmented[:at] + b"\x72" + fragmented[at + 1 :]
    assert mp4_flaw(saved(tmp_path, lying, "a.mp4"))


def test_V02_a_fragment_that_was_taken_out_is_told(tmp_path: Path, fragmented: bytes) -> None:
    starts = [match.start() - 4 for match in re.finditer(b"moof", fragmented)]
    without = fragmented[: starts[1]] + fragmented[starts[2] :]
    path = saved(tmp_path, without, "a.mp4")
    assert "follows fragment" in str(mp4_flaw(path))
    reader = FrameReader(inspect_video(path))
    shown = len(list(reader))
    assert shown < 40
    assert reader.notices


def test_V02_bytes_behind_the_last_fragment_are_a_flaw(tmp_path: Path, fragmented: bytes) -> None:
    assert mp4_flaw(saved(tmp_path, fragmented + b"\0" * 40, "a.mp4"))
    assert mp4_flaw(saved(tmp_path, fragmented[:-30], "a.mp4"))


def test_V03_clusters_that_were_changed_or_taken_out_are_a_flaw(
    tmp_path: Path, clusters: bytes
) -> None:
    starts = [match.start() for match in re.finditer(b"\x1f\x43\xb6\x75", clusters)]
    without = clusters[: starts[1]] + clusters[starts[2] :]
    assert matroska_flaw(saved(tmp_path, without, "a.mkv"))
    flipped = bytearray(clusters)
    flipped[starts[1] + 60] ^= 4
    assert "check sum" in str(matroska_flaw(saved(tmp_path, bytes(flipped), "a.mkv")))
    for length in range(200, len(clusters), 311):
        assert matroska_flaw(saved(tmp_path, clusters[:length], "a.mkv"))


def test_V04_a_frame_that_libav_misses_in_silence_is_told(tmp_path: Path, fast: bytes) -> None:
    """The table of the pictures' durations becomes one of a single, very long one."""
    at = fast.index(b"mdhd")
    path = saved(tmp_path, fast[:at] + b"xdhd" + fast[at + 4 :], "a.mp4")
    reader = FrameReader(inspect_video(path))
    assert len(list(reader)) < 40
    assert [notice.code for notice in reader.notices] == ["W_VIDEO_DAMAGED"]
    assert "contradicts itself" in reader.notices[0].sentence
