"""The training loop under kills, bad losses, little memory, full disks; on one device and on two.

Run as a program, with a folder, this file is what the tests kill: it trains in a child process,
kills that at random moments and starts it again; then it trains on two processes at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.datasets.runs import RunSet
from affectscope.errors import ModelError, OutputError
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing
from affectscope.records import TARGETS
from affectscope.training.devices import DeviceSettings, make_fabric
from affectscope.training.fit import FitSettings, Trainer, fit, fresh
from affectscope.training.loop import Stage, StageSettings, TrainingRows
from affectscope.training.objective import Objective, Part
from affectscope.training.run_folder import Position, RunFolder

WIDTH = 602
SIGNALS = ("ecg", "eda")
BODY = BMMNConfig(
    variant="bmmn_bae_2", modalities=SIGNALS, face_encoder="small", window_samples=WIDTH
)
TINY = BMMNConfig(variant="bmmn", modalities=("eda",), face_encoder="small", window_samples=WIDTH)
WITH_FACE = replace(BODY, variant="bmmn", modalities=("face", "eda"))
SETTINGS = StageSettings(
    epochs=2, learning_rate=1e-3, batch_size=12, run_length=4, save_every=2, seed=3
)


def trial(number: int, count: int = 16, *, faces: bool = False) -> PreparedTrial:
    """Made-up rows 0.3 s apart in noise whose level is their targets."""
    random = np.random.default_rng(number)
    level = random.uniform(0.2, 0.8)

    def noise() -> NetworkSignal:
        values = (level * random.random(1280)).astype(np.float32)
        return NetworkSignal(values, np.ones(1280, dtype=np.bool_), 128.0, 0.0)

    pictures = random.integers(0, 256, (count, 3, 224, 224), dtype=np.uint8) if faces else None
    return PreparedTrial(
        subject_id=f"s{number}",
        trial_id="t",
        times=2.5 + 0.3 * np.arange(count),
        duration=0.3 * count,
        targets=np.full((count, len(TARGETS)), level, dtype=np.float32),
        signals={name: noise() for name in SIGNALS},
        faces=pictures,
        face_present=np.full(count, faces),
        key=f"key {number}",
    )


def training_rows(trials: int = 4, *, validation: int = 0, faces: int = 0) -> TrainingRows:
    """All rows of the first trials to learn from, of the last ones to stop by."""
    made = [trial(number, faces=number < faces) for number in range(trials + validation)]
    windows = RunSet(made, Preprocessing(window_samples=WIDTH))
    rows = np.arange(len(windows))
    last = windows.trial_of_row >= trials
    return TrainingRows(windows, rows[~last], rows[last])


def weights(model: BMMN) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def relative_error(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    first, second = (
        torch.cat([each[name].double().flatten() for name in expected])
        for each in (found, expected)
    )
    return float((first - second).norm() / second.norm())


class Watched(Objective):
    """An objective whose sums of errors a test may look at and change."""

    def __init__(
        self, model: BMMN, look: Callable[[Part, dict[str, Tensor]], dict[str, Tensor]]
    ) -> None:
        super().__init__(model, "targets")
        self.look = look
        self.register_buffer("passes", torch.zeros(()))  # as a norm gathers statistics

    def forward(self, part: Part) -> dict[str, Tensor]:
        self.passes += self.training
        return self.look(part, super().forward(part))


def stage(
    objective: Objective,
    rows: TrainingRows,
    settings: StageSettings = SETTINGS,
    folder: Path | None = None,
) -> Stage:
    held = None
    if folder is not None:
        folder.mkdir(exist_ok=True)
        held = RunFolder(folder)
    return Stage(objective, rows, settings, fabric=make_fabric(), folder=held)


# What is killed -----------------------------------------------------------------------------

RUN = FitSettings(
    epochs=(2, 2, 5),
    learning_rate=1e-3,
    batch_size=12,
    run_length=4,
    decoded_every=2,
    modality_dropout=0.3,
    patience=5,
    save_every=2,
    seed=1,
)
KILLS = 20


def command(folder: Path) -> None:
    """Train in a folder; the same call goes on after a kill."""
    rows, config = training_rows(validation=1), replace(BODY, modalities=("eda",))
    model, losses = fit(rows, config, RUN, folder=folder / "run")
    save_file(weights(model), folder / "weights.safetensors")
    (folder / "losses.json").write_text(json.dumps(losses))


def in_a_child(work: Callable[[], None]) -> int:
    """Run in a fork of this process, in which everything is imported already; its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def logged(folder: Path) -> int:
    """Lines in all stages' logs."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("run/*/log.csv"))


def warmed_up() -> None:
    """Have this process import what a first step imports, so that its children need not."""
    stage(Objective(fresh(TINY, 0), "targets"), training_rows(1)).train()


def killed(folder: Path) -> None:
    """Kill the command at random steps and moments in them, then let it come to its end."""
    warmed_up()
    random = np.random.default_rng(7)
    for _ in range(KILLS):
        steps, delay = int(random.integers(0, 4)), float(random.uniform(0, 0.03))
        child = in_a_child(lambda: command(folder))
        grown, last = 0, logged(folder)
        while grown < steps and os.waitpid(child, os.WNOHANG) == (0, 0):
            now = logged(folder)
            grown, last = grown + max(0, now - last), now
            time.sleep(0.001)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status), "it came to its end before it was killed"
    child = in_a_child(lambda: command(folder))
    assert os.waitpid(child, 0)[1] == 0


def with_biases(model: BMMN) -> BMMN:
    """As a first step leaves it: from biases of 0, rounding decides which ReLUs learn."""
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.uniform_(parameter, 0.01, 0.1, generator=generator)
    return model


def devices(folder: Path) -> None:
    """Train on two processes, on rows of which one process may see no face at all."""

    def work(fabric) -> None:
        found = {}
        for name, config, faces in (("body", BODY, 0), ("face", WITH_FACE, 1)):
            model = with_biases(fresh(config, 0))
            trainer = Trainer(training_rows(faces=faces), DEVICES_RUN, fabric, folder / name)
            trainer.joint(model, lambda_bae=0.5)
            found |= {f"{name}.{key}": tensor for key, tensor in weights(model).items()}
        if fabric.is_global_zero:
            save_file(found, folder / "weights.safetensors")

    make_fabric(DeviceSettings(devices=2, strategy="ddp_fork")).launch(work)


DEVICES_RUN = FitSettings(
    epochs=(0, 0, 2), learning_rate=1e-3, batch_size=12, run_length=4, save_every=3
)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this file leaves where it is run as a program: "killed" and "devices"."""
    folder = tmp_path_factory.mktemp("processes")
    done = subprocess.run(
        [sys.executable, __file__, str(folder)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def states(folder: Path) -> dict[str, dict]:
    """Each stage's last position."""
    found = {}
    for path in sorted(folder.glob("run/*")):
        state = RunFolder(path).load()
        assert state is not None
        found[path.name] = asdict(state.position)
    return found


def test_T01_killed_at_random_steps_it_ends_with_the_same_weights(
    processes: Path, tmp_path: Path
) -> None:
    once, often = tmp_path, processes / "killed"
    command(once)
    assert_equal(load_file(often / "weights.safetensors"), load_file(once / "weights.safetensors"))
    assert (often / "losses.json").read_text() == (once / "losses.json").read_text()
    assert states(often) == states(once)
    logs = sorted(path.relative_to(once) for path in once.glob("run/*/log.csv"))
    assert len(logs) == 3
    for log in logs:
        text = (often / log).read_text()
        assert text == (once / log).read_text()
        steps = [line.split(",")[:2] for line in text.splitlines()[1:]]
        numbers = [(int(epoch), int(batch)) for epoch, batch in steps]
        assert numbers == sorted(set(numbers))  # no batch twice
        per_epoch = {epoch: 0 for epoch, _ in numbers}
        for epoch, batch in numbers:
            assert batch == per_epoch[epoch]  # none skipped
            per_epoch[epoch] += 1
    leftovers = [path for path in often.rglob("*") if path.name.startswith(".affectscope-tmp-")]
    assert leftovers == []


def test_two_devices_learn_what_one_learns(processes: Path) -> None:
    folder = processes / "devices"
    found = load_file(folder / "weights.safetensors")
    for name, config, faces in (("body", BODY, 0), ("face", WITH_FACE, 1)):
        model = with_biases(fresh(config, 0))
        before = weights(model)
        Trainer(training_rows(faces=faces), DEVICES_RUN, make_fabric()).joint(model, lambda_bae=0.5)
        own = {key.removeprefix(f"{name}."): found[key] for key in found if key.startswith(name)}
        assert relative_error(own, weights(model)) < 1e-3 * relative_error(before, weights(model))
        position = RunFolder(next((folder / name).iterdir())).load().position
        assert position.finished


# In this process ----------------------------------------------------------------------------


def test_progress_rises_to_one() -> None:
    told: list[float] = []
    Stage(
        Objective(fresh(TINY, 0), "targets"),
        training_rows(),
        SETTINGS,
        fabric=make_fabric(),
        progress=told.append,
    ).train()
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 1


def test_T20_workers_change_no_weight() -> None:
    rows, found = training_rows(), []
    for workers in (0, 1, 2):
        model = fresh(TINY, 0)
        position = stage(
            Objective(model, "targets"), rows, replace(SETTINGS, epochs=1, workers=workers)
        ).train()
        found.append((weights(model), position))
    for others, position in found[1:]:
        assert_equal(others, found[0][0])
        assert position == found[0][1]


def test_each_row_is_learnt_once_per_epoch() -> None:
    rows, seen = training_rows(), []

    def look(part: Part, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append(int(part.runs.present["eda"].sum()))
        return sums

    stage(Watched(fresh(TINY, 0), look), rows, replace(SETTINGS, epochs=3)).train()
    assert sum(seen) == 3 * len(rows.train)


def spoiling(*calls: int) -> Callable[[Part, dict[str, Tensor]], dict[str, Tensor]]:
    """Makes the loss of some forward passes no number."""
    count = iter(range(10**6))

    def look(_: Part, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        bad = next(count) in calls
        return {name: total * float("nan") if bad else total for name, total in sums.items()}

    return look


def test_T07_a_poisoned_batch_is_skipped_and_noted(tmp_path: Path) -> None:
    """Real poison: one row's target is infinite, so that its batch spoils every epoch."""
    rows = training_rows()
    poisoned = 5
    rows.windows.targets[poisoned] = np.inf
    model = fresh(TINY, 0)
    position = stage(Objective(model, "targets"), rows, SETTINGS, tmp_path).train()
    expected = []
    for epoch in range(SETTINGS.epochs):
        runs = rows.windows.runs(rows.train, 4, seed=(SETTINGS.seed, SETTINGS.stage, epoch))
        where = next(number for number, run in enumerate(runs) if poisoned in run)
        expected.append(f"{epoch}:{where // 3}")  # three runs of four rows in a batch
    assert position.skipped == tuple(expected)
    assert position.rollbacks == 0
    assert all(bool(torch.isfinite(tensor).all()) for tensor in model.state_dict().values())
    assert np.isfinite(position.losses).all()
    bad = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()[1:]]
    assert [f"{epoch}:{batch}" for epoch, batch, loss, _ in bad if loss == "nan"] == expected


def test_T07_a_skipped_step_leaves_no_trace() -> None:
    rows, ended = training_rows(), []
    for spoilt in ((), (3,)):
        objective = Watched(fresh(TINY, 0), spoiling(*spoilt))
        running = stage(objective, rows)
        running.train()
        steps = {int(each["step"]) for each in running.optimiser.state_dict()["state"].values()}
        ended.append((steps, int(objective.passes)))
    (steps, passes), (fewer, norms) = ended
    assert passes == max(steps)
    assert fewer == {max(steps) - 1}
    assert norms == passes - 1


def test_T07_an_infinite_gradient_is_skipped_too() -> None:
    def look(_: Part, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        total = sums["targets"]
        # The square root's slope at 0 is infinite, its value is not.
        return {"targets": total + (total.detach() - total).abs().sqrt()}

    model = fresh(TINY, 0)
    before = weights(model)
    with pytest.raises(ModelError):
        stage(Watched(model, look), training_rows()).train()
    assert_equal(weights(model), before)


def test_T07_three_in_a_row_go_back_with_half_the_learning_rate(tmp_path: Path) -> None:
    rows = training_rows()
    seen: list[dict[str, Tensor]] = []
    model = fresh(TINY, 0)
    spoil = spoiling(5, 6, 7)

    def look(part: Part, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append(weights(model))
        return spoil(part, sums)

    position = stage(Watched(model, look), rows, SETTINGS, tmp_path).train()
    assert position.rollbacks == 1
    assert position.learning_rate == SETTINGS.learning_rate / 2
    assert len(position.skipped) == 3
    assert position.epoch == SETTINGS.epochs
    # Passes 0.. are steps; states are saved after every second step and after an epoch.
    runs = rows.windows.runs(rows.train, 4, seed=(SETTINGS.seed, SETTINGS.stage, 0))
    batches = -(-len(runs) // 3)
    assert batches == 7
    assert_equal(seen[8], seen[6])  # back at the state after step 6, which steps 5 ... did not move
    lines = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()]
    assert lines[0] == ["epoch", "batch", "loss", "learning_rate"]
    numbers = [(int(epoch), int(batch)) for epoch, batch, _, _ in lines[1:]]
    assert numbers == sorted(set(numbers))
    assert float(lines[1][3]) == SETTINGS.learning_rate
    assert float(lines[-1][3]) == SETTINGS.learning_rate / 2


def test_T07_before_the_first_state_it_goes_back_to_the_start(tmp_path: Path) -> None:
    settings = replace(SETTINGS, save_every=1000, epochs=1)
    spoilt, clean = fresh(TINY, 0), fresh(TINY, 0)
    objective = Watched(spoilt, spoiling(1, 2, 3))
    stage(objective, training_rows(), settings, tmp_path).train()
    half = replace(settings, learning_rate=settings.learning_rate / 2)
    stage(Objective(clean, "targets"), training_rows(), half, tmp_path / "clean").train()
    assert_equal(weights(spoilt), weights(clean))
    log = "log.csv"  # with its header
    assert (tmp_path / log).read_text() == (tmp_path / "clean" / log).read_text()


def test_T07_the_third_time_it_stops_with_a_report(tmp_path: Path) -> None:
    model = fresh(TINY, 0)
    running = stage(Watched(model, spoiling(*range(4, 10**4))), training_rows(), folder=tmp_path)
    with pytest.raises(ModelError) as caught:
        running.train()
    assert caught.value.code == "E_TRAINING_DIVERGED"
    assert "9 steps" in caught.value.sentence
    assert "epoch:batch" in caught.value.sentence
    assert "smaller learning rate" in caught.value.remedy
    state = RunFolder(tmp_path).load()
    assert state is not None
    assert not state.position.finished
    assert all(bool(torch.isfinite(tensor).all()) for tensor in state.tensors.values())


def with_memory_for(rows: int) -> Callable[[Part, dict[str, Tensor]], dict[str, Tensor]]:
    def look(part: Part, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        if len(part.targets) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory (made up)")
        return sums

    return look


def test_T08_too_little_memory_halves_the_parts_and_keeps_the_gradient() -> None:
    rows, whole, parted = training_rows(), fresh(TINY, 0), fresh(TINY, 0)
    plain = stage(Objective(whole, "targets"), rows)
    plain.train()
    objective = Watched(parted, with_memory_for(8))
    tight = stage(objective, rows)
    position = tight.train()
    assert position.pieces == 2  # three runs of four rows: eight, then four
    assert plain.position.pieces == 1
    assert position.losses == pytest.approx(plain.position.losses, rel=1e-5)
    start = weights(fresh(TINY, 0))
    moved = relative_error(start, weights(whole))
    assert relative_error(weights(parted), weights(whole)) < 1e-3 * moved
    # Each batch passed in two parts; the pass that ran out of memory left no trace.
    steps = max(int(each["step"]) for each in tight.optimiser.state_dict()["state"].values())
    assert int(objective.passes) == sum(min(2, size) for size in batch_sizes(rows))
    assert steps == len(batch_sizes(rows))


def batch_sizes(rows: TrainingRows) -> list[int]:
    """Runs of each batch over all epochs."""
    sizes = []
    for epoch in range(SETTINGS.epochs):
        runs = rows.windows.runs(rows.train, 4, seed=(SETTINGS.seed, SETTINGS.stage, epoch))
        sizes += [len(runs[first : first + 3]) for first in range(0, len(runs), 3)]
    return sizes


def test_T08_too_little_memory_for_a_single_run_is_said() -> None:
    running = stage(Watched(fresh(TINY, 0), with_memory_for(2)), training_rows())
    with pytest.raises(ModelError) as caught:
        running.train()
    assert caught.value.code == "E_MEMORY"
    assert "shorter runs" in caught.value.remedy


def test_T08_another_error_is_not_taken_for_too_little_memory() -> None:
    def look(part: Part, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        raise RuntimeError("a mistake of ours")

    with pytest.raises(RuntimeError, match="a mistake of ours"):
        stage(Watched(fresh(TINY, 0), look), training_rows()).train()


@pytest.mark.parametrize("size", [20_000, 60])
def test_T03_a_full_disk_is_said_and_stops_at_the_next_state(
    tmp_path: Path,
    size: int,
    caplog: pytest.LogCaptureFixture,
    disk_of: Callable[[int], AbstractContextManager[None]],
) -> None:
    """At 20,000 bytes no state fits; at 60 not even a second line of the log."""
    rows, model, settings = training_rows(), fresh(TINY, 0), SETTINGS
    first = replace(settings, epochs=1)
    stage(Objective(model, "targets"), rows, first, tmp_path).train()
    position = RunFolder(tmp_path).load().position
    reopened = replace(position, finished=0)
    RunFolder(tmp_path).save(replace(RunFolder(tmp_path).load(), position=reopened))
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    model = fresh(TINY, 0)
    running = stage(Objective(model, "targets"), rows, settings, tmp_path)
    with disk_of(size), pytest.raises(OutputError) as caught:
        running.train()
    assert caught.value.code == "E_OUTPUT"
    assert "twice in a row" in caught.value.sentence
    told = [record for record in caplog.records if "could not be saved" in record.message]
    assert [record.levelname for record in told] == ["ERROR"] * 2
    # It went on for one more interval, and no longer.
    assert running.position.saved == position.saved + 2
    assert (running.position.epoch, running.position.batch) == (1, 4)
    for name in ("state-0.bin", "state-1.bin"):
        assert (tmp_path / name).read_bytes() == kept[name]
    assert set(kept) == {path.name for path in tmp_path.iterdir()}  # no half file is left

    model = fresh(TINY, 0)  # room was made: the same call goes on
    stage(Objective(model, "targets"), rows, settings, tmp_path).train()
    other = fresh(TINY, 0)
    stage(Objective(other, "targets"), rows, settings).train()
    assert_equal(weights(model), weights(other))


def test_T03_one_state_that_cannot_be_written_does_not_stop_it(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    disk_of: Callable[[int], AbstractContextManager[None]],
) -> None:
    rows, settings = training_rows(), replace(SETTINGS, epochs=1)
    failing = iter([False, True, False, True] + [False] * 99)

    class Flaky(RunFolder):
        def save(self, state) -> None:
            if next(failing):
                with disk_of(1000):
                    super().save(state)
            else:
                super().save(state)

    model, other = fresh(TINY, 0), fresh(TINY, 0)
    running = Stage(
        Objective(model, "targets"), rows, settings, fabric=make_fabric(), folder=Flaky(tmp_path)
    )
    position = running.train()
    assert position.finished
    assert len([each for each in caplog.records if each.levelname == "ERROR"]) == 2
    stage(Objective(other, "targets"), rows, settings).train()
    assert_equal(weights(model), weights(other))


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    rows, model = training_rows(), fresh(TINY, 0)
    first = stage(Objective(model, "targets"), rows, folder=tmp_path).train()

    def look(part: Part, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        raise AssertionError("nothing is left to learn")

    again = fresh(TINY, 9)
    position = stage(Watched(again, look), rows, folder=tmp_path).train()
    assert position == first
    assert_equal(weights(again), weights(model))


def test_a_state_of_another_network_is_refused(tmp_path: Path) -> None:
    rows = training_rows()
    stage(Objective(fresh(TINY, 0), "targets"), rows, folder=tmp_path).train()
    wider = fresh(replace(TINY, hidden=4), 0)
    with pytest.raises(ModelError) as caught:
        stage(Objective(wider, "targets"), rows, folder=tmp_path).train()
    assert caught.value.code == "E_CHECKPOINT"
    assert "head" in caught.value.sentence


def test_a_state_of_other_learning_parameters_is_refused(tmp_path: Path) -> None:
    rows = training_rows()
    stage(Objective(fresh(TINY, 0), "targets"), rows, folder=tmp_path).train()
    frozen = Objective(fresh(TINY, 0), "targets", frozen=("bio_networks",))
    with pytest.raises(ModelError) as caught:
        stage(frozen, rows, folder=tmp_path).train()
    assert caught.value.code == "E_RUN_CHANGED"


def test_early_stopping_keeps_the_best_epoch(tmp_path: Path) -> None:
    """At a large learning rate on few people the error on another person soon rises."""
    rows = training_rows(2, validation=1)
    settings = replace(SETTINGS, epochs=40, learning_rate=0.03, patience=2)
    model = fresh(TINY, 0)
    running = stage(Objective(model, "targets"), rows, settings, tmp_path)
    position = running.train()
    assert len(position.validation) == len(position.losses) == position.epoch
    best = int(np.argmin(position.validation))
    assert position.best_epoch == best + 1
    assert position.epoch == position.best_epoch + 2 < 40
    assert position.best == min(position.validation) < position.validation[-1]
    truth = rows.windows.batch([rows.validation])
    windows = np.stack([
        truth.signals["eda"][0, :, start : start + WIDTH] for start in truth.starts["eda"][0]
    ])  # fmt: skip
    with torch.no_grad():
        estimate = model.eval().estimate({"eda": torch.from_numpy(windows)}).numpy()
    error = float(np.mean((estimate - truth.targets) ** 2))
    assert error == pytest.approx(position.best, rel=1e-4)


def test_without_patience_all_epochs_run_and_the_best_is_kept() -> None:
    rows = training_rows(2, validation=1)
    settings = replace(SETTINGS, epochs=5, learning_rate=0.03)
    position = stage(Objective(fresh(TINY, 0), "targets"), rows, settings).train()
    assert position.epoch == 5
    assert position.best == min(position.validation)


def test_joint_validation_is_of_the_targets_whatever_the_weights() -> None:
    rows, best = training_rows(2, validation=1), []
    for value in (0.1, 100.0):
        objective = Objective(fresh(BODY, 0), "joint", {"reconstruction": value})
        settings = replace(SETTINGS, epochs=1, learning_rate=1e-9)  # all but the same weights
        best.append(stage(objective, rows, settings).train().best)
    assert best[0] == pytest.approx(best[1], rel=1e-3)


def test_a_frozen_face_keeps_its_weights_and_norms() -> None:
    model = fresh(WITH_FACE, 0)
    assert model.face is not None
    model.face.layers[1] = torch.nn.BatchNorm2d(16)  # a norm that gathers statistics
    before = weights(model)
    objective = Objective(model, "targets", frozen=("face",))
    stage(objective, training_rows(2, faces=2), replace(SETTINGS, epochs=1)).train()
    after = weights(model)
    assert any(name.endswith("running_mean") for name in before)
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]) == name.startswith("face."), name


def test_modality_dropout_hides_some_and_never_all() -> None:
    hidden, seen = [], []

    class Watching(Objective):
        def forward(self, part: Part) -> dict[str, Tensor]:
            there = torch.stack([part.there[name] for name in SIGNALS])
            given = torch.stack([part.runs.present[name] for name in SIGNALS])
            assert not (given & ~there).any()
            assert torch.equal(given.any(dim=0), there.any(dim=0))
            hidden.append(float((there & ~given).sum()))
            seen.append(float(there.sum()))
            return super().forward(part)

    settings = replace(SETTINGS, epochs=6, batch_size=64, modality_dropout=0.6)
    stage(
        Watching(fresh(replace(BODY, variant="bmmn"), 0), "targets"), training_rows(), settings
    ).train()
    # Of two modalities both are drawn with 0.36, and then kept: 2 * 0.6 * 0.4 of two is left.
    assert sum(hidden) / sum(seen) == pytest.approx(0.24, abs=0.06)


def test_a_position_says_how_the_run_went() -> None:
    rows = training_rows()
    position = stage(Objective(fresh(TINY, 0), "targets"), rows).train()
    assert position.finished == 1
    assert (position.epoch, position.batch) == (2, 0)
    assert position.losses[1] < position.losses[0]
    assert position.skipped == position.validation == ()
    assert position.rollbacks == Position().rollbacks == 0


if __name__ == "__main__":
    for work in (killed, devices):
        (Path(sys.argv[1]) / work.__name__).mkdir()
        work(Path(sys.argv[1]) / work.__name__)
