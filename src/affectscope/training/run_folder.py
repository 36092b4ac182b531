"""A run's folder: what was asked for, how far it is, and who is at work in it.

==========================  ==================================================================
run.json                    the question: configuration, settings, data, code; never changes
state-0.bin, state-1.bin    the last two states, written in turn: weights, optimiser, position
log.csv                     one line per step, cut back to the state when a run is resumed
lock                        who is at work here: process and machine
==========================  ==================================================================

A state file is the sha256 of what follows, a line end, and a safetensors file whose metadata holds
the position. A killed writer leaves the older of both states; a damaged one is passed over (T04).
Where no state is left the run starts anew: it ends with the same weights, only later.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from affectscope.errors import ModelError, OutputError
from affectscope.io.files import prepare_folder, shown, write_text, write_with
from affectscope.io.folder_lock import locked
from affectscope.io.run_question import differences, source_digest
from affectscope.models.strict_json import decode, parse_object
from affectscope.models.weights_file import parse_tensors, read_bounded, refuse_pickle

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
RUN, LOCK, LOG = "run.json", "lock", "log.csv"
SLOTS = ("state-0.bin", "state-1.bin")
LOG_HEADER = b"epoch,batch,loss,learning_rate\n"
LARGEST_STATE = 4 << 30
"""Bytes. A fine-tuned BMMN-BAE-2 with ResNet-50 has 0.4 GB: weights, best weights, two moments."""


@dataclass
class Position:
    """How far a run is, and what it must remember to go on exactly as if it had not stopped.

    Attributes:
        saved: counts the states written.
        epoch, batch: the next batch to learn from.
        learning_rate: halved by each rollback.
        epoch_sum, epoch_batches: losses of the unfinished epoch.
        losses, validation: one number per finished epoch.
        best, best_epoch: lowest validation loss so far.
        bad_in_a_row: steps just before this position whose loss was no number.
        skipped: "epoch:batch" of each step left out because its loss was no number.
        rollbacks: how often the last good state was taken back.
        pieces: parts that a batch goes through in, doubled whenever memory ran out.
        log_bytes: length of log.csv that belongs to this state.
        finished: nothing is left to do.
    """

    saved: int = 0
    epoch: int = 0
    batch: int = 0
    learning_rate: float = 0.0
    epoch_sum: float = 0.0
    epoch_batches: int = 0
    losses: tuple[float, ...] = ()
    validation: tuple[float, ...] = ()
    best: float = 1e308
    best_epoch: int = -1
    bad_in_a_row: int = 0
    skipped: tuple[str, ...] = ()
    rollbacks: int = 0
    pieces: int = 1
    log_bytes: int = 0
    finished: int = 0


@dataclass(frozen=True, eq=False)
class State:
    """A position and its tensors: "model.*", "best.*", "adam.*"."""

    position: Position
    tensors: Mapping[str, Tensor]


@cache
def code_fingerprint() -> str:
    """sha256 over the source of what decides a training: networks, batches and the loop."""
    package = Path(__file__).resolve().parents[1]
    rooms = [
        path for room in ("models", "training") for path in sorted((package / room).glob("*.py"))
    ]
    return source_digest(
        [*rooms, package / "datasets" / "runs.py", package / "preprocessing" / "windows.py"]
    )


@dataclass
class RunFolder:
    """A folder that this process holds, see ``held``."""

    path: Path
    notices: list[str] = field(default_factory=list)

    def load(self) -> State | None:
        """The last whole state, None where there is none yet.

        Raises:
            ModelError: E_CHECKPOINT for a state of another version, E_CHECKPOINT_PICKLE.
        """
        states: list[State] = []
        damaged: list[str] = []
        for slot in SLOTS:
            path = self.path / slot
            if path.exists():
                try:
                    states.append(_read_state(path))
                except DamagedStateError as error:
                    damaged.append(f"{shown(path)} is damaged ({error})")
        taken = "the other state is taken" if states else "no state is left, the run starts anew"
        for reason in damaged:
            self.notices.append(f"{reason}; {taken}.")
            log.warning("%s", self.notices[-1])
        return max(states, key=lambda state: state.position.saved, default=None)

    def save(self, state: State) -> None:
        """Write a state beside the last one.

        Raises:
            OutputError, OSError: it cannot be written; the state before is untouched.
        """
        position = asdict(state.position) | {"format_version": FORMAT_VERSION}
        content = save(dict(state.tensors), metadata={"position": json.dumps(position)})
        digest = hashlib.sha256(content).hexdigest().encode()
        path = self.path / SLOTS[state.position.saved % 2]
        write_with(path, lambda stream: (stream.write(digest + b"\n"), stream.write(content)))

    def step_log(self, length: int) -> StepLog:
        """log.csv, cut to ``length`` bytes, open for the lines that follow.

        Raises:
            OutputError: E_OUTPUT.
        """
        try:
            return StepLog(self.path / LOG, length)
        except OSError as error:
            raise _not_writable(self.path, error) from error


class StepLog:
    """log.csv, open for writing. A line that cannot be written waits for the next try."""

    def __init__(self, path: Path, length: int) -> None:
        self._file = path.open("ab", buffering=0)
        self._waiting = b""
        self.cut(length)

    @property
    def length(self) -> int:
        """Bytes, with the lines that wait."""
        return os.fstat(self._file.fileno()).st_size + len(self._waiting)

    def write(self, line: str) -> None:
        """Add a line; a full disk is told by the ``flush`` of the next state."""
        self._waiting += line.encode()
        with suppress(OSError):
            self.flush()

    def flush(self) -> None:
        """Write what waits. Raises OSError."""
        while self._waiting:
            written = self._file.write(self._waiting)
            self._waiting = self._waiting[written:]

    def cut(self, length: int) -> None:
        """Take back the lines after ``length`` bytes; the header stays."""
        size = os.fstat(self._file.fileno()).st_size
        self._waiting = b"" if size >= len(LOG_HEADER) else LOG_HEADER
        self._file.truncate(0 if self._waiting else min(max(length, len(LOG_HEADER)), size))
        with suppress(OSError):
            self.flush()

    def close(self) -> None:
        """End it; a line that still waits is lost, no state is."""
        self._file.close()


class DamagedStateError(Exception):
    """A state file was cut or changed; the message says how."""


@contextmanager
def held(path: Path, question: Mapping[str, Any], *, force: bool = False) -> Iterator[RunFolder]:
    """The run's folder, locked for this process, its question compared with what is asked now.

    Args:
        question: what decides the result, as JSON can hold it.
        force: go on although the question has changed; run.json then keeps what changed.

    Raises:
        ModelError: E_RUN_LOCKED where another process is at work here; E_RUN_CHANGED where the run
            was started with another question, with each difference.
        OutputError: E_OUTPUT.
    """
    prepare_folder(path)
    with locked(path / LOCK):
        try:
            _check_question(path / RUN, json.loads(json.dumps(question)), force)
        except OSError as error:
            raise _not_writable(path, error) from error
        yield RunFolder(path)


def _check_question(path: Path, question: dict[str, Any], force: bool) -> None:
    question = {"format_version": FORMAT_VERSION, "code": code_fingerprint()} | question
    if not path.exists():
        write_text(path, json.dumps({"question": question, "forced": []}, indent=1))
        return
    content = read_bounded(path, 1 << 26)
    written = parse_object(content, path.name)
    before, forced = written.get("question"), written.get("forced")
    if not isinstance(before, dict) or not isinstance(forced, list):
        raise ModelError("E_CHECKPOINT", f"{shown(path)} is damaged.", "Start in a new folder.")
    _check_version(before.get("format_version"), path)
    changes = differences(before, question)
    if changes and not force:
        raise ModelError(
            "E_RUN_CHANGED",
            f"{shown(path.parent)} holds a run with another question: {'; '.join(changes)}.",
            "Ask as before, choose another folder, or give --force to go on all the same.",
        )
    if changes:
        content_now = {"question": question, "forced": [*forced, changes]}
        write_text(path, json.dumps(content_now, indent=1))


def _check_version(version: object, path: Path) -> None:
    if version != FORMAT_VERSION:
        raise ModelError(
            "E_CHECKPOINT",
            f"{shown(path)} has format version {version}, this program reads {FORMAT_VERSION}.",
            "Go on with the version of affectscope that wrote it, or start in a new folder.",
        )


def _read_state(path: Path) -> State:
    try:
        content = read_bounded(path, LARGEST_STATE)
    except ModelError as error:
        raise DamagedStateError(error.sentence) from error
    digest, _, body = content.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        refuse_pickle(path, content)
        raise DamagedStateError("its sha256 is another")
    refuse_pickle(path, body)
    header = parse_object(body[8 : 8 + int.from_bytes(body[:8], "little")], path.name)
    position = parse_object(_metadata(header), path.name)
    _check_version(position.pop("format_version", None), path)
    return State(decode(Position, position, path.name), parse_tensors(body, path.name))


def _metadata(header: Mapping[str, Any]) -> bytes:
    """The position as JSON; nothing where somebody else wrote the file."""
    metadata = header.get("__metadata__")
    return str(metadata.get("position", "")).encode() if isinstance(metadata, dict) else b""


def _not_writable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        "E_OUTPUT",
        f"The run in {shown(path)} cannot be written ({error.strerror}).",
        "Make room, or see to the folder, and start it again.",
    )


def copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as they are now, on the processor, laid out plainly as a file needs them."""
    plain = torch.contiguous_format
    return {
        name: tensor.detach().to("cpu", copy=True, memory_format=plain)
        for name, tensor in tensors.items()
    }


def adam_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's memory by "parameter number.name"."""
    memory = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": value for number, own in memory.items() for name, value in own.items()
    }


def restore_adam(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what ``adam_tensors`` gave.

    Raises:
        ModelError: E_RUN_CHANGED where other parameters are learnt now.
    """
    learnt = [each for group in optimiser.param_groups for each in group["params"]]
    memory: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        if int(number) >= len(learnt) or (value.dim() and value.shape != learnt[int(number)].shape):
            raise ModelError(
                "E_RUN_CHANGED",
                "The run's state belongs to an optimiser of other parameters.",
                "Start in a new folder.",
            )
        # Adam walks through weights and memory alike: both are to be laid out in the same way.
        like = torch.empty_like(learnt[int(number)] if value.dim() else value, device="cpu")
        memory.setdefault(int(number), {})[name] = like.copy_(value)
    whole = optimiser.state_dict()
    optimiser.load_state_dict({"state": memory, "param_groups": whole["param_groups"]})
