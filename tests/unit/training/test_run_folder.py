"""A run's folder: states that survive kills and damage, one trainer at a time, one question.

Run as a program, with a folder, this file kills its own children in the middle of their writing.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from affectscope.errors import ModelError, OutputError
from affectscope.io import files
from affectscope.io.run_question import differences
from affectscope.training import run_folder
from affectscope.training.run_folder import (
    SLOTS,
    Position,
    RunFolder,
    State,
    StepLog,
    adam_tensors,
    code_fingerprint,
    copied,
    held,
    restore_adam,
)

QUESTION = {
    "network": {"targets": ["valence", "arousal", "liking"], "hidden": 0},
    "settings": {"learning_rate": 0.001, "epochs": 3},
    "data": "0123abcd",
}


def state(saved: int, **changes: object) -> State:
    """Told apart by its number, in its position and in its weights."""
    tensors = {
        "model.weight": torch.full((4, 3), float(saved)),
        "model.counted": torch.tensor(saved),
        "adam.0.step": torch.tensor(2.0 * saved),
    }
    position = Position(
        saved=saved, epoch=saved // 3, losses=(0.1, 1 / 3), skipped=("0:1",), best=0.1 + 0.2
    )
    return State(replace(position, **changes), tensors)


def same(found: State | None, expected: State) -> bool:
    return (
        found is not None
        and found.position == expected.position
        and found.tensors.keys() == expected.tensors.keys()
        and all(torch.equal(found.tensors[name], own) for name, own in expected.tensors.items())
    )


# What is killed -----------------------------------------------------------------------------


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class HalfWritten:
    """A stream whose second write ends half way."""

    def __init__(self, stream) -> None:
        self.stream, self.writes = stream, 0

    def write(self, content: bytes) -> int:
        self.writes += 1
        if self.writes == 2:
            self.stream.write(content[: len(content) // 2])
            self.stream.flush()
            die()
        return self.stream.write(content)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()


def on_call(number: int, real: Callable, after: bool = False) -> Callable:
    """``real``, killed at its call of that number, before or after it did its work."""
    calls = iter(range(10**6))

    def called(*arguments: object, **named: object) -> object:
        last = next(calls) == number
        if last and not after:
            die()
        result = real(*arguments, **named)
        if last:
            die()
        return result

    return called


REAL_FDOPEN = os.fdopen
STEPS: dict[str, tuple[object, str, Callable]] = {
    "before anything": (files.tempfile, "mkstemp", on_call(0, files.tempfile.mkstemp)),
    "made": (files.tempfile, "mkstemp", on_call(0, files.tempfile.mkstemp, after=True)),
    "half written": (files.os, "fdopen", lambda *a: HalfWritten(REAL_FDOPEN(*a))),
    "written": (files.os, "fsync", on_call(0, os.fsync)),
    "synced": (files.os, "fsync", on_call(0, os.fsync, after=True)),
    "before the rename": (Path, "replace", on_call(0, Path.replace)),
    "renamed": (Path, "replace", on_call(0, Path.replace, after=True)),
    "before the folder's sync": (files.os, "fsync", on_call(1, os.fsync)),
    "done": (files.os, "fsync", on_call(1, os.fsync, after=True)),
}
NEW_STATE_COUNTS = ("renamed", "before the folder's sync", "done")


def killed_while_writing(folder: Path) -> None:
    """For each step, a folder with two states, whose third was killed while it was written."""
    for step, (where, name, killing) in STEPS.items():
        path = folder / step
        child = os.fork()
        if not child:
            with held(path, QUESTION) as own:
                own.save(state(1))
                own.save(state(2))
                setattr(where, name, killing)
                own.save(state(3))
            os._exit(9)
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status), (step, status)


def holding(folder: Path) -> None:
    """Hold a folder and say so, until killed."""
    with held(folder / "held", QUESTION):
        (folder / "ready").write_text(str(os.getpid()))
        time.sleep(60)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this file leaves where it is run as a program."""
    folder = tmp_path_factory.mktemp("killed")
    program = subprocess.Popen([sys.executable, __file__, str(folder)], stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "ready").exists() and program.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert program.poll() is None, program.stderr.read()
        with pytest.raises(ModelError) as caught, held(folder / "held", QUESTION):
            pass
        (folder / "refused").write_text(f"{caught.value.code} {caught.value.sentence}")
    finally:
        program.kill()
        program.communicate()
    return folder


@pytest.mark.parametrize("step", STEPS)
def test_T02_a_kill_while_a_state_is_written_leaves_the_last_good_one(
    killed: Path, step: str
) -> None:
    with held(killed / step, QUESTION) as own:  # T14: the dead writer's lock is free
        found = own.load()
        assert same(found, state(3 if step in NEW_STATE_COUNTS else 2))
        assert own.notices == []
        names = {path.name for path in own.path.iterdir()}
        assert names == {"run.json", "lock", *SLOTS}  # what the killed writer left is gone


def test_T13_a_second_trainer_is_refused_with_process_and_machine(killed: Path) -> None:
    holder = (killed / "ready").read_text()
    assert (killed / "refused").read_text() == (
        f"E_RUN_LOCKED 'held' is in use by process {holder} on {socket.gethostname()}."
    )


def test_T14_a_killed_trainers_lock_is_free(killed: Path) -> None:
    with held(killed / "held", QUESTION):
        own = (killed / "held" / "lock").read_text()
    assert own == f"process {os.getpid()} on {socket.gethostname()}\n"


def test_T13_the_lock_ends_with_the_work_even_where_that_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), held(tmp_path, QUESTION):
        raise KeyError
    with held(tmp_path, QUESTION), pytest.raises(ModelError) as caught, held(tmp_path, QUESTION):
        pass
    assert caught.value.code == "E_RUN_LOCKED"
    assert "another folder" in caught.value.remedy


# States -------------------------------------------------------------------------------------


def test_the_last_of_two_states_is_taken(tmp_path: Path) -> None:
    own = RunFolder(tmp_path)
    assert own.load() is None
    for number in range(1, 6):
        own.save(state(number))
        assert same(RunFolder(tmp_path).load(), state(number))
    assert sorted(path.name for path in tmp_path.iterdir()) == list(SLOTS)


def test_numbers_come_back_to_the_last_bit(tmp_path: Path) -> None:
    made = state(1, epoch_sum=0.1 + 0.7, best=1e308, learning_rate=1e-4 / 3)
    made = State(made.position, {"model.x": torch.tensor([0.1, -0.0, 1e-45, 3.4e38])})
    RunFolder(tmp_path).save(made)
    found = RunFolder(tmp_path).load()
    assert same(found, made)
    assert found.tensors["model.x"].numpy().tobytes() == made.tensors["model.x"].numpy().tobytes()


def damages(content: bytes, count: int) -> list[bytes]:
    """Cut, flipped, zeroed, emptied, lengthened, mixed up: each differs from the content."""
    random = np.random.default_rng(0)
    found = [b"", content + b"\0", content[1:], content[65:], content[:64], content[:65]]
    while len(found) < count:
        start, end = sorted(random.integers(0, len(content), 2).tolist())
        spoilt = bytearray(content)
        match int(random.integers(5)):
            case 0:
                spoilt = spoilt[:start]
            case 1:
                spoilt[start] ^= 1 << int(random.integers(8))
            case 2:
                spoilt[start:end] = bytes(end - start)
            case 3:
                del spoilt[start:end]
            case 4:
                spoilt[start:end] = random.bytes(end - start)
        if bytes(spoilt) != content:
            found.append(bytes(spoilt))
    return found


def test_T04_every_damage_is_noticed_and_the_state_before_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    RunFolder(tmp_path).save(state(4))
    RunFolder(tmp_path).save(state(5))
    newest = tmp_path / SLOTS[1]
    whole = newest.read_bytes()
    tried = damages(whole, 500)
    for number, spoilt in enumerate(tried):
        newest.write_bytes(spoilt)
        own = RunFolder(tmp_path)
        assert same(own.load(), state(4)), number
        [notice] = own.notices
        assert "'state-1.bin' is damaged" in notice
        assert "the other state is taken" in notice
    assert len(caplog.records) == len(tried) == 500
    newest.write_bytes(whole)
    assert same(RunFolder(tmp_path).load(), state(5))


def test_T04_both_damaged_starts_anew_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = RunFolder(tmp_path)
    own.save(state(4))
    own.save(state(5))
    for slot in SLOTS:
        (tmp_path / slot).write_bytes((tmp_path / slot).read_bytes()[:-1])
    assert own.load() is None
    assert len(own.notices) == 2
    assert all("the run starts anew" in notice for notice in own.notices)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


def test_T04_a_folder_in_a_states_place_is_passed_over(tmp_path: Path) -> None:
    own = RunFolder(tmp_path)
    own.save(state(4))
    (tmp_path / SLOTS[1]).mkdir()
    assert same(own.load(), state(4))
    assert len(own.notices) == 1


class Canary:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "sung"))


def sealed(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


@pytest.mark.parametrize("protocol", [0, 2, 4, 5, "torch"])
@pytest.mark.parametrize("seal", [False, True])
def test_T05_a_pickle_is_refused_and_never_runs(
    tmp_path: Path, protocol: int | str, seal: bool
) -> None:
    sung, slot = tmp_path / "sung", tmp_path / SLOTS[1]
    RunFolder(tmp_path).save(state(2))
    if protocol == "torch":
        torch.save({"canary": Canary(sung)}, slot)
        content = slot.read_bytes()
    else:
        content = pickle.dumps([Canary(sung)], protocol=protocol)
    slot.write_bytes(sealed(content) if seal else content)
    with pytest.raises(ModelError) as caught:
        RunFolder(tmp_path).load()
    assert caught.value.code == "E_CHECKPOINT_PICKLE"
    assert not sung.exists()
    pickle.loads(pickle.dumps(Canary(sung)))  # the canary can sing
    assert sung.exists()


def test_T05_an_honest_state_is_never_taken_for_a_pickle(tmp_path: Path) -> None:
    """A hash that begins with c, before a header of 0x0a.. bytes, reads like protocol 0."""
    filler = ["0:1"] * 200
    for number in range(4000):
        made = state(1, learning_rate=float(number), skipped=tuple(filler))
        RunFolder(tmp_path).save(made)
        content = (tmp_path / SLOTS[1]).read_bytes()
        length = int.from_bytes(content[65:73], "little")
        if content[66:67] != b"\n":
            filler = filler[1:] if length > 0x0AFF else [*filler, "0:1"]
        elif content[:1] == b"c" and chr(content[65]).isalnum():
            break
        elif not chr(content[65]).isalnum():
            filler = [*filler, "0:1"]
    else:
        pytest.fail("no such state was found")
    assert same(RunFolder(tmp_path).load(), made)


def test_T05_a_sealed_file_that_is_no_state_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save

    for body in (
        b"",
        b"nonsense",
        save({"x": torch.ones(2)}),
        save({}, metadata={"position": "1"}),
    ):
        (tmp_path / SLOTS[0]).write_bytes(sealed(body))
        with pytest.raises(ModelError) as caught:
            RunFolder(tmp_path).load()
        assert caught.value.code == "E_CHECKPOINT"


def test_T19_a_state_of_another_version_is_refused_by_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(run_folder, "FORMAT_VERSION", 7)
        RunFolder(tmp_path).save(state(1))
    with pytest.raises(ModelError) as caught:
        RunFolder(tmp_path).load()
    assert caught.value.code == "E_CHECKPOINT"
    assert "version 7" in caught.value.sentence
    assert "reads 1" in caught.value.sentence


@pytest.mark.parametrize("force", [False, True])
def test_T19_a_run_of_another_version_is_refused_even_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    with monkeypatch.context() as later:
        later.setattr(run_folder, "FORMAT_VERSION", 7)
        with held(tmp_path, QUESTION):
            pass
    with pytest.raises(ModelError) as caught, held(tmp_path, QUESTION, force=force):
        pass
    assert caught.value.code == "E_CHECKPOINT"
    assert "version 7" in caught.value.sentence


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_T03_a_disk_that_fails_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    own = RunFolder(tmp_path)
    own.save(state(1))
    own.save(state(2))

    def failing(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match=os.strerror(number)):
            own.save(state(3))
    assert same(RunFolder(tmp_path).load(), state(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == list(SLOTS)


def test_T03_a_folder_that_cannot_be_written_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OutputError) as caught, held(tmp_path / "run", QUESTION):
        pass
    assert caught.value.code == "E_OUTPUT"
    assert "No space left" in caught.value.sentence


# The log ------------------------------------------------------------------------------------


def test_a_log_is_cut_back_to_the_state(tmp_path: Path) -> None:
    steps = RunFolder(tmp_path).step_log(0)
    steps.write("0,0,1,1\n")
    kept = steps.length
    steps.write("0,1,1,1\n")
    steps.close()
    again = RunFolder(tmp_path).step_log(kept)
    assert again.length == kept
    again.write("0,1,2,2\n")
    assert again.length == (tmp_path / "log.csv").stat().st_size
    again.cut(kept)
    again.write("0,1,3,3\n")
    again.close()
    text = (tmp_path / "log.csv").read_text()
    assert text == "epoch,batch,loss,learning_rate\n0,0,1,1\n0,1,3,3\n"


@pytest.mark.parametrize("left", [b"", b"epoch,ba"])
def test_a_logs_header_is_whole_and_stays(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "log.csv").write_bytes(left)
    steps = StepLog(tmp_path / "log.csv", 500)
    steps.write("line\n")
    steps.cut(0)
    steps.close()
    assert (tmp_path / "log.csv").read_text() == "epoch,batch,loss,learning_rate\n"


def test_T03_lines_wait_for_a_disk_that_is_full(
    tmp_path: Path, disk_of: Callable[[int], AbstractContextManager[None]]
) -> None:
    steps = StepLog(tmp_path / "log.csv", 0)
    with disk_of(40):
        for number in range(5):
            steps.write(f"0,{number},1,1\n")
        with pytest.raises(OSError, match="File too large"):
            steps.flush()
    steps.flush()
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[1:] == [f"0,{number},1,1" for number in range(5)]
    assert steps.length == (tmp_path / "log.csv").stat().st_size
    steps.close()


# The question -------------------------------------------------------------------------------


def changed(**leaves: object) -> dict:
    question = json.loads(json.dumps(QUESTION))
    for path, value in leaves.items():
        group, _, name = path.partition("__")
        if name:
            question[group][name] = value
        else:
            question[group] = value
    return question


CHANGES = {
    "settings": (
        {"settings__learning_rate": 0.002},
        "settings.learning_rate: 0.001 -> 0.002",
    ),
    "data": ({"data": "4567cdef"}, "data: 0123abcd -> 4567cdef"),
    "order of targets": (
        {"network__targets": ["valence", "liking", "arousal"]},
        "network.targets.1: arousal -> liking; network.targets.2: liking -> arousal",
    ),
    "fewer targets": ({"network__targets": ["valence"]}, "network.targets: ['valence', "),
    "configuration": ({"network__hidden": 8}, "network.hidden: 0 -> 8"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_T06_another_question_is_refused_with_the_difference(tmp_path: Path, what: str) -> None:
    leaves, difference = CHANGES[what]
    with held(tmp_path, QUESTION) as own:
        own.save(state(1))
    with held(tmp_path, QUESTION):
        pass
    with pytest.raises(ModelError) as caught, held(tmp_path, changed(**leaves)):
        pass
    assert caught.value.code == "E_RUN_CHANGED"
    assert difference in caught.value.sentence
    assert "--force" in caught.value.remedy
    assert "code" not in caught.value.sentence
    with held(tmp_path, QUESTION) as own:  # the refusal changed nothing
        assert same(own.load(), state(1))


def test_T06_other_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with held(tmp_path, QUESTION):
        pass
    monkeypatch.setattr(run_folder, "code_fingerprint", lambda: "f" * 64)
    with pytest.raises(ModelError) as caught, held(tmp_path, QUESTION):
        pass
    assert caught.value.code == "E_RUN_CHANGED"
    assert f"code: {code_fingerprint()[:60]} -> ffff" in caught.value.sentence


def test_T06_force_goes_on_and_is_recorded(tmp_path: Path) -> None:
    with held(tmp_path, QUESTION):
        pass
    first = changed(settings__learning_rate=0.002)
    second = changed(settings__learning_rate=0.002, data="new")
    with held(tmp_path, first, force=True):
        pass
    with held(tmp_path, first):  # asked for once, it is the question from now on
        pass
    with held(tmp_path, second, force=True):
        pass
    with held(tmp_path, second, force=True):  # nothing changed, nothing to record
        pass
    kept = json.loads((tmp_path / "run.json").read_text())
    assert kept["forced"] == [
        ["settings.learning_rate: 0.001 -> 0.002"],
        ["data: 0123abcd -> new"],
    ]
    assert kept["question"]["data"] == "new"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"question": 3}', b'{"question": {}}'])
def test_a_damaged_question_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(ModelError) as caught, held(tmp_path, QUESTION):
        pass
    assert caught.value.code == "E_CHECKPOINT"


def test_differences_name_each_leaf() -> None:
    before = {"a": {"b": 1, "c": [1, 2]}, "d": None, "e": 1.0}
    now = {"a": {"b": 2, "c": [1, 3]}, "e": 1.0, "f": "x"}
    assert differences(before, now) == ["a.b: 1 -> 2", "a.c.1: 2 -> 3", "f: None -> x"]
    assert differences(before, before) == []


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_an_optimiser_goes_on_as_if_it_had_not_stopped(memory_format: torch.memory_format) -> None:
    def learner() -> tuple[torch.nn.Conv2d, torch.optim.Adam]:
        torch.manual_seed(0)
        layer = torch.nn.Conv2d(3, 2, 2).to(memory_format=memory_format)
        return layer, torch.optim.Adam(layer.parameters(), lr=0.1, fused=True)

    def learn(layer: torch.nn.Conv2d, adam: torch.optim.Adam) -> None:
        adam.zero_grad()
        layer(torch.arange(27.0).view(1, 3, 3, 3)).square().sum().backward()
        adam.step()

    layer, adam = learner()
    other, fresh_adam = learner()
    for _ in range(3):
        learn(layer, adam)
    other.load_state_dict(layer.state_dict())
    kept = load(save(copied(adam_tensors(adam))))  # as a state file lays them out
    restore_adam(fresh_adam, kept)
    learn(layer, adam)
    learn(other, fresh_adam)
    assert torch.equal(layer.weight, other.weight)
    with pytest.raises(ModelError) as caught:
        restore_adam(torch.optim.Adam([torch.nn.Parameter(torch.ones(5))]), adam_tensors(adam))
    assert caught.value.code == "E_RUN_CHANGED"


if __name__ == "__main__":
    killed_while_writing(Path(sys.argv[1]))
    holding(Path(sys.argv[1]))
