"""Video containers: what kind of file it is, opening it, and what its header states.

Content decides what a file is, never its name. What libav raises is turned into one of our errors;
nothing is allocated for a picture before its size was checked.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from affectscope.errors import InputError
from affectscope.io.files import check_file, shown

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAXIMUM_SIDE = 8192
"""Pixels; a larger picture is refused before memory is taken for it (V24)."""
MAXIMUM_RATE = 1000.0
"""Frames per second that a container may state (V24)."""
_DEMUX_RETRIES = 10

_MP4_BOXES = tuple(b"ftyp moov mdat free skip wide pnot moof styp sidx".split())
_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"FLV\x01", "flv"),
    (b"0&\xb2u\x8ef\xcf\x11", "asf"),
    (b"OggS", "ogg"),
    (b"\x00\x00\x01\xba", "mpeg"),
)
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF", "a PDF document"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"<", "a web page or other markup"),
    (b"#EXTM3U", "a playlist"),
)


def container_format(path: Path) -> str:
    """libav's demuxer for the file's content.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY, E_FILE_UNREADABLE, E_TYPE_MISMATCH.
    """
    size = check_file(path)
    if size < 12:
        raise InputError(
            "E_FILE_EMPTY", f"{shown(path)} holds {size} bytes and no video.", "Export it again."
        )
    with path.open("rb") as stream:
        head = stream.read(400)
    name = _known(head)
    if name is not None:
        return name
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    foreign = next((what for prefix, what in _FOREIGN if start.startswith(prefix)), "nothing known")
    raise InputError(
        "E_TYPE_MISMATCH",
        f"{shown(path)} is {foreign} by its content, not a video container.",
        "Give an MP4, MOV, MKV, WebM, AVI, MPEG, FLV, ASF or Ogg file.",
    )


def _known(head: bytes) -> str | None:
    if head[4:8] in _MP4_BOXES:
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"WAVE"):
        return "avi" if head[8:12] == b"AVI " else "wav"
    # MPEG-TS packets are 188 bytes; AVCHD cameras put a 4-byte stamp before each.
    if any(head[i : i + 1] == head[i + n : i + n + 1] == b"G" for i, n in ((0, 188), (4, 192))):
        return "mpegts"
    return next((name for prefix, name in _PREFIXES if head.startswith(prefix)), None)


def _mp4_boxes(path: Path) -> set[bytes]:
    """The top-level boxes of an MP4 or MOV file that hold any byte; the last may be cut."""
    found: set[bytes] = set()
    with path.open("rb") as stream:
        while len(header := stream.read(8)) == 8:
            size, kind = struct.unpack(">I4s", header)
            body = size - 8
            if size == 1:  # a 64-bit size follows
                body = int.from_bytes(stream.read(8)) - 16
            if _more_follows(stream) and (body > 0 or size == 0):
                found.add(kind)
            if body <= 0 and size != 8:  # 0: the box reaches to the end; else the size is a lie
                break
            stream.seek(body, 1)
    return found


def _more_follows(stream: BinaryIO) -> bool:
    position = stream.tell()
    more = bool(stream.read(1))
    stream.seek(position)
    return more


@contextmanager
def libav_errors() -> Iterator[list[tuple[int, str, str]]]:
    """The error lines (level, part, text) that libav writes in this thread while the block runs.

    The level stays at ERROR afterwards: restoring it would silence a reader in another thread.
    """
    from av import logging as libav_log

    libav_log.set_level(libav_log.ERROR)
    libav_log.set_skip_repeated(False)  # else a repeated line is withheld until another one comes
    with libav_log.Capture() as lines:
        yield lines


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its video stream, ready to be decoded in one thread.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY, E_FILE_UNREADABLE, E_TYPE_MISMATCH,
            E_VIDEO_NO_STREAM, E_VIDEO_NO_INDEX, E_VIDEO_CODEC, E_VIDEO_DAMAGED.
    """
    import av

    name = container_format(path)
    with libav_errors():
        try:
            # An absolute path cannot be taken for a protocol such as "concat:".
            container = av.open(
                str(path.absolute()),
                "r",
                format=name,
                options={"max_pixels": str(MAXIMUM_SIDE**2)},
                metadata_errors="replace",
            )
        except (av.FFmpegError, ValueError) as error:
            raise _not_opened(path, name, error) from error
    with container:
        stream = _video_stream(container, path)
        # One thread: an error line then belongs to the packet in hand, and decoding is not the
        # bottleneck (about 900 frames/s at 360p on one core).
        stream.thread_type = "NONE"
        stream.codec_context.copy_opaque = True
        yield container, stream


def _not_opened(path: Path, name: str, error: Exception) -> InputError:
    import av

    if name == "mov":
        boxes = _mp4_boxes(path)
        if b"moov" not in boxes and boxes & {b"mdat", b"moof"}:
            return InputError(
                "E_VIDEO_NO_INDEX",
                f"{shown(path)} lacks its index (moov): the recording app was stopped hard.",
                "Re-export the video from the app, or record fragmented MP4 or MKV.",
            )
        if not boxes & {b"mdat", b"moof", b"moov"}:
            return no_frames(path)
    if isinstance(error, av.error.EOFError):
        return no_frames(path)
    return damaged(path, f"cannot be opened as {name} ({reason(error)})")


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is no cover picture, checked before anything is decoded."""
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    streams = [s for s in container.streams.video if not s.disposition & pictures]
    if not streams:
        raise InputError(
            "E_VIDEO_NO_STREAM",
            f"{shown(path)} holds no video stream.",
            "Give the file that the camera recorded; sound alone shows no face.",
        )
    stream = streams[0]
    # PyAV has no codec context where libav has no decoder, although its types promise one.
    if getattr(stream, "codec_context", None) is None:
        raise no_decoder(path, _fourcc(container, stream))
    if max(stream.width, stream.height) > MAXIMUM_SIDE:
        raise too_large(path, f"{stream.width} x {stream.height} pixels")
    if stream.average_rate and stream.average_rate > MAXIMUM_RATE:
        raise too_large(path, f"{float(stream.average_rate):g} frames per second")
    return stream


def _fourcc(container: InputContainer, stream: VideoStream) -> str:
    """The codec's four letters, which PyAV tells only in libav's description of the file."""
    from av import logging as libav_log

    libav_log.set_level(libav_log.INFO)  # the description is a log line of this level
    described: str = container.dumps_format()  # type: ignore[attr-defined]
    libav_log.set_level(libav_log.ERROR)
    found = re.search(rf"Stream #0:{stream.index}\W.*Video: \S+ \((\w{{4}}) /", described)
    return found.group(1) if found else "unknown"


def reason(error: Exception) -> str:
    """libav's own words for an error, without the path."""
    return getattr(error, "strerror", None) or type(error).__name__


def no_frames(path: Path) -> InputError:
    """The error for a header that nothing follows."""
    return InputError(
        "E_FILE_EMPTY", f"{shown(path)} holds a header and no frame.", "Export it again."
    )


def damaged(path: Path, how: str) -> InputError:
    """The error for a file that is a video and cannot be read."""
    return InputError("E_VIDEO_DAMAGED", f"{shown(path)} {how}.", "Copy or export the file again.")


def no_decoder(path: Path, codec: str) -> InputError:
    """The error for a codec that this libav cannot decode."""
    return InputError(
        "E_VIDEO_CODEC",
        f"{shown(path)} is coded as '{codec}', which cannot be decoded here.",
        "Convert it to H.264, for example with ffmpeg or HandBrake.",
    )


def too_large(path: Path, stated: str) -> InputError:
    """The error for a picture size or rate that no camera has."""
    return InputError(
        "E_VIDEO_DAMAGED",
        f"{shown(path)} states {stated}; at most {MAXIMUM_SIDE} x {MAXIMUM_SIDE} pixels and "
        f"{MAXIMUM_RATE:g} frames per second are read.",
        "The header is damaged, or the video must be made smaller first.",
    )


def packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """The stream's packets; reading goes on behind a place that cannot be read."""
    import av

    failures = 0
    while failures < _DEMUX_RETRIES:
        try:
            for packet in container.demux(stream):
                yield packet
                failures = 0
            return
        except av.FFmpegError:
            failures += 1


def seconds(item: VideoFrame | Packet[VideoStream]) -> float | None:
    """The presentation time in the file's own clock; None where the file gives none."""
    if item.pts is None or item.time_base is None:
        return None
    # As float(pts * time_base), and a tenth of its time: asked for three times with each packet.
    return (item.pts * item.time_base.numerator) / item.time_base.denominator


def nominal_rate(stream: VideoStream) -> float:
    """Frames per second that the container states or libav estimated."""
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    stated = next((rate for rate in rates if rate), None)
    # A single picture has no rate; one per second is the statement that claims least.
    return min(float(stated), MAXIMUM_RATE) if stated else 1.0


def stated_end(container: InputContainer, stream: VideoStream) -> float | None:
    """Where the container says that the video ends, in the file's own clock; None: not said."""
    matroska = "matroska" in container.format.name
    # In Matroska libav copies the file's duration to the stream, whose start it guesses.
    if not matroska and stream.duration and stream.time_base is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    tag = re.match(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if matroska and tag:
        hours, minutes, rest = tag.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(rest)
    if not container.duration:
        return None
    # Matroska's duration counts from the clock's zero, the others' from the first time stamp.
    start = 0 if matroska else (container.start_time or 0)
    return (start + container.duration) / 1e6


def measured_end(container: InputContainer, stream: VideoStream, stated: float) -> float | None:
    """The end of the last packet found by seeking to the stated end; None where that fails.

    The container stands at its end afterwards.
    """
    import av

    if stream.time_base is None:
        return None
    ends: list[float] = []
    with libav_errors():
        try:
            container.seek(int(stated / stream.time_base), stream=stream)
            for packet in container.demux(stream):
                time = seconds(packet)
                if time is not None:
                    length = float((packet.duration or 0) * stream.time_base)
                    ends.append(time + (length or 1 / nominal_rate(stream)))
        except (av.FFmpegError, OverflowError):
            return None
    return max(ends, default=None)
