"""The signal encoders over a whole signal at once, beside one window after the other.

    .venv/bin/python benchmarks/dense_encoders.py [--minutes 60]

A signal of noise at 128 Hz and untrained weights: no human data, and the time depends on neither.
To the head's outputs, as the predictor uses it: windows in batches of 64, cut and encoded by plain
``nn.Conv1d`` layers (what a user would write) and by ours, beside ``SignalShares`` with tables of
several lengths, asked for the same batches. To features and latents: ``models.dense`` over runs of
1024 windows. Seconds are those of the processor, all threads together, so that neighbours on the
machine change little; beside plain layers also those of the clock. Ratios are within this run.
Differences are the largest one over the largest value; "exact" is double precision, window by
window, of 1000 windows.
Kept in benchmarks/results/dense_encoders.json.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.dense import bio_network_features, encode_runs
from affectscope.models.long_convolution import LongConv1d
from affectscope.models.shares import STRETCH, SignalShares, window_shares
from affectscope.records import Modality

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "dense_encoders.json"
SAMPLING_RATE, WIDTH, BATCH, RUN, THREADS = 128.0, 1000, 64, 1024, 2
STRETCHES = (4096, STRETCH, 65_536)
BODIES: dict[str, tuple[str, tuple[Modality, ...]]] = {
    "BAE encoder": ("bmmn_bae_1", ("ecg",)),
    "Bio Network": ("bmmn", ("ecg",)),
    "body of BMMN-BAE-2": ("bmmn_bae_2", ("ecg", "eda")),
}
Values = np.ndarray
Batches = list[np.ndarray]


def timed(work: Callable[[], Values]) -> tuple[float, Values]:
    begun = time.process_time()
    found = work()
    return time.process_time() - begun, found


def sliding(model: BMMN) -> BMMN:
    """The same network with the layers of PyTorch."""
    plain = copy.deepcopy(model)
    for module in list(plain.modules()):
        for name, layer in module.named_children():
            if isinstance(layer, LongConv1d):
                own = nn.Conv1d(
                    layer.in_channels, layer.out_channels, layer.kernel_size, padding=layer.padding
                )
                own.load_state_dict(layer.state_dict())
                setattr(module, name, own)
    return plain.eval()


def by_windows(model: BMMN, signals: dict[Modality, Values], batches: Batches) -> Values:
    def cut(values: Values, starts: np.ndarray) -> Values:
        held = starts[:, None] + np.arange(WIDTH)
        return values[np.clip(held, 0, len(values) - 1)][:, None]

    return np.concatenate(
        [
            sum(window_shares(model, name, cut(own, each)) for name, own in signals.items())
            for each in batches
        ]
    )


def by_tables(
    model: BMMN, signals: dict[Modality, Values], batches: Batches, stretch: int = STRETCH
) -> Values:
    shares = [SignalShares(model, name, own, stretch=stretch) for name, own in signals.items()]
    return np.concatenate([sum(each.at(starts) for each in shares) for starts in batches])


def by_runs(model: BMMN, values: Values, starts: np.ndarray) -> Values:
    """Only through the features, in memory the whole run's."""
    parts = []
    with torch.inference_mode():
        for first in range(0, len(starts), RUN):
            own = starts[first : first + RUN]
            inside = np.clip(np.arange(own[0], own[-1] + WIDTH), 0, len(values) - 1)
            run = torch.from_numpy(values[inside])[None, None]
            places = torch.from_numpy(own - own[0])[None]
            parts.append(features(model, run, places) @ weights(model).T)
    return torch.cat(parts).numpy()


def features(model: BMMN, run: Tensor, places: Tensor) -> Tensor:
    if model.config.uses_bio_networks:
        return bio_network_features(model.bio_networks["ecg"], run, places, WIDTH)  # type: ignore[arg-type]
    return encode_runs(model.autoencoder("ecg"), run, places, places.new_empty(0))[0]


def weights(model: BMMN) -> Tensor:
    return model.head_weights("ecg" if model.config.uses_bio_networks else "ecg latent")


def apart(found: Values, expected: Values) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def one_body(name: str, minutes: float) -> dict[str, object]:
    variant, modalities = BODIES[name]
    torch.manual_seed(0)
    model = BMMN(BMMNConfig(variant=variant, modalities=modalities)).eval()  # type: ignore[arg-type]
    random, samples = np.random.default_rng(0), round(minutes * 60 * SAMPLING_RATE)
    signals = {each: random.random(samples, dtype=np.float32) for each in modalities}
    result: dict[str, object] = {}
    for rate in (25.0, 5.0, 1.0):
        centres = np.rint(np.arange(0, minutes * 60, 1 / rate) * SAMPLING_RATE).astype(np.int64)
        starts = centres - WIDTH // 2
        batches = [starts[row : row + BATCH] for row in range(0, len(starts), BATCH)]
        one_by_one, expected = timed(partial(by_windows, model, signals, batches))
        rows = {}
        for stretch in STRETCHES:
            by_tables(model, signals, batches[:1], stretch)
            seconds, found = timed(partial(by_tables, model, signals, batches, stretch))
            rows[f"tables of {stretch}"] = {
                "seconds": seconds,
                "ratio": one_by_one / seconds,
                "difference": apart(found, expected),
            }
        if rate == 25.0:
            result |= at_full_rate(model, signals, batches, (one_by_one, expected))
        result[f"{rate:g} windows/s"] = {"windows": {"seconds": one_by_one}, **rows}
        show(name, rate, one_by_one, rows)
    return result


def at_full_rate(
    model: BMMN,
    signals: dict[Modality, Values],
    batches: Batches,
    ours: tuple[float, Values],
) -> dict[str, object]:
    """Beside plain layers, and to the features."""
    begun = time.perf_counter()
    plain, reference = timed(lambda: by_windows(sliding(model), signals, batches))
    plain_clock, begun = time.perf_counter() - begun, time.perf_counter()
    dense, found = timed(lambda: by_tables(model, signals, batches))
    dense_clock = time.perf_counter() - begun
    some = [np.concatenate(batches)[:: max(1, sum(map(len, batches)) // 1000)]]
    exact = by_windows(copy.deepcopy(model).double(), signals, some)
    off = {
        "tables": apart(by_tables(model, signals, some), exact),
        "our windows": apart(by_windows(model, signals, some), exact),
        "plain layers": apart(by_windows(sliding(model), signals, some), exact),
    }
    result: dict[str, object] = {
        "plain layers": {
            "seconds": plain,
            "ratio": plain / dense,
            "ratio by the clock": plain_clock / dense_clock,
            "difference": apart(found, reference),
            "difference of our windows": apart(ours[1], reference),
        },
        "difference from exact": off,
    }
    print("  off exact:", ", ".join(f"{how} {value:.1e}" for how, value in off.items()))
    print(f"  plain layers {plain:.2f} s, {plain / dense:.0f} times the tables'", end=", ")
    print(f"{plain_clock / dense_clock:.0f} by the clock", end=", ")
    print(f"difference {apart(found, reference):.1e}, ours {apart(ours[1], reference):.1e}")
    if len(signals) == 1:
        starts = np.concatenate(batches)
        seconds, found = timed(lambda: by_runs(model, signals["ecg"], starts))
        result["features of runs"] = {
            "seconds": seconds,
            "ratio": ours[0] / seconds,
            "difference": apart(found, ours[1]),
        }
        print(f"  features of runs {seconds:.2f} s, ratio {ours[0] / seconds:.1f}")
    return result


def show(name: str, rate: float, windows: float, rows: dict[str, dict[str, float]]) -> None:
    print(f"{name}, {rate:g} windows/s: windows {windows:.2f} s", flush=True)
    for how, row in rows.items():
        line = f"  {how:<16} {row['seconds']:8.3f} s  ratio {row['ratio']:6.1f}"
        print(f"{line}  difference {row['difference']:.1e}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=THREADS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = {name: one_body(name, options.minutes) for name in BODIES}
    kept = {"minutes": options.minutes, "threads": options.threads, "encoders": found}
    RESULT.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
