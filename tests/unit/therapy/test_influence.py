"""Which modality drove the estimate: known answers of networks that read one modality only.
Untrained weights and made-up inputs: no number here is about a human being."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from affectscope.datasets.window_dataset import WindowBatch
from affectscope.evaluation.phases import Phases
from affectscope.inference.predictor import Predictor, Shares
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint
from affectscope.pages import environment
from affectscope.preprocessing.face_quality import FACTORS
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import MODALITIES, TARGETS, Modality, Phase
from affectscope.therapy import influence as module
from affectscope.therapy.influence import Influence, InfluenceProbe, influence_result
from affectscope.therapy.influence_figure import influence_over_time
from affectscope.therapy.influence_report import influence_content
from affectscope.therapy.results import plain

PREPROCESSING = Preprocessing()
PHASES: Phases = (Phase("before", 0.0, 20.0), Phase("after", 40.0, 60.0))
SHOWN = [TARGETS.index("valence"), TARGETS.index("arousal")]
BODY: tuple[Modality, ...] = ("ecg", "eda")


def predictor(
    modalities: tuple[Modality, ...] = MODALITIES, training: dict[str, Any] | None = None
) -> Predictor:
    torch.manual_seed(0)
    config = BMMNConfig(face_encoder="small", modalities=modalities)
    checkpoint = Checkpoint(
        config, PREPROCESSING, "simulated people", ("s1",), training=training or {}
    )
    return Predictor(BMMN(config).eval(), checkpoint, "0" * 12)


def reading_only(modality: Modality) -> Predictor:
    """A network whose head has no weights for the features of the other modalities."""
    scorer = predictor()
    with torch.no_grad():
        at = 0
        for name, width in scorer.model.config.feature_widths.items():
            if name.split()[0] != modality:
                scorer.model.head[0].weight[:, at : at + width] = 0
            at += width
    return scorer


def batch(times: np.ndarray, absent: dict[Modality, slice] | None = None) -> WindowBatch:
    """Rows with random pictures and windows; ``absent`` rows hold NaN where they can."""
    random, count = np.random.default_rng(7), len(times)
    made = WindowBatch(
        keys=tuple(PREPROCESSING.key("s", "t", float(time)) for time in times),
        inputs={
            "face": random.integers(0, 255, (count, 3, 224, 224), dtype=np.uint8),
            "ecg": random.random((count, 1, 1000), dtype=np.float32),
            "eda": random.random((count, 1, 1000), dtype=np.float32),
        },
        present={name: np.ones(count, dtype=bool) for name in MODALITIES},
        face_factors=np.ones((count, len(FACTORS))),
        faces_seen=np.ones(count, dtype=np.int64),
        face_boxes=np.full((count, 4), np.nan, np.float32),
    )
    for name, rows in (absent or {}).items():
        made.present[name][rows] = False
        if name != "face":
            made.inputs[name][rows] = np.nan
    return made


def body_rows(times: np.ndarray) -> WindowBatch:
    """As ``batch``, of one window and without pictures: many of them take no memory."""
    window = np.random.default_rng(1).random((1, 1000), dtype=np.float32)
    return WindowBatch(
        keys=tuple(PREPROCESSING.key("s", "t", float(time)) for time in times),
        inputs={name: np.broadcast_to(window, (len(times), 1, 1000)) for name in BODY},
        present={name: np.ones(len(times), dtype=bool) for name in BODY},
        face_factors=np.zeros((len(times), len(FACTORS))),
        faces_seen=np.zeros(len(times), dtype=np.int64),
        face_boxes=np.full((len(times), 4), np.nan, np.float32),
    )


def no_shares(count: int) -> Shares:
    return {name: np.zeros((count, len(TARGETS)), np.float32) for name in BODY}


def without(rows: WindowBatch, name: Modality) -> WindowBatch:
    nowhere = np.zeros(len(rows.keys), dtype=bool)
    return replace(rows, present=rows.present | {name: nowhere})


def probed(scorer: Predictor, *batches: WindowBatch) -> InfluenceProbe:
    probe = InfluenceProbe(scorer)
    for each in batches:
        probe.add(each, scorer.shares(each))
    return probe


def found(scorer: Predictor, *batches: WindowBatch) -> Influence:
    influence = probed(scorer, *batches).influence(PHASES)
    assert influence is not None
    return influence


def gaps() -> WindowBatch:
    """Twelve rows 5 s apart: 0-3 have all, 4-5 no EDA, 6-7 a face alone, 8 nothing, 9-11 all."""
    return batch(
        np.arange(0.0, 60.0, 5.0),
        {"eda": slice(4, 9), "ecg": slice(6, 9), "face": slice(8, 9)},
    )


def test_leaving_a_modality_out_is_scoring_rows_that_lack_it() -> None:
    scorer, rows = predictor(), gaps()
    moved = found(scorer, rows).moved
    estimates = scorer.score(rows)
    for place, name in enumerate(MODALITIES):
        expected = (estimates - scorer.score(without(rows, name)))[:, SHOWN]
        told = np.isfinite(moved[:, place])
        np.testing.assert_allclose(moved[:, place][told], expected[told], atol=1e-6)


def test_a_batch_that_lacks_a_modality_altogether_is_probed_without_it() -> None:
    scorer, whole = predictor(), batch(np.arange(3.0))
    rows = replace(
        whole,
        inputs={name: whole.inputs[name] for name in BODY},
        present={name: whole.present[name] for name in BODY},
    )
    moved = found(scorer, rows).moved
    assert np.isnan(moved[:, MODALITIES.index("face")]).all()
    assert np.isfinite(moved[:, 1:]).all()
    nothing = found(scorer, replace(rows, inputs={}, present={}))
    assert np.isnan(nothing.moved).all()


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_only_modality_that_a_network_reads_has_all_the_influence(modality: Modality) -> None:
    influence = found(reading_only(modality), batch(np.arange(0.0, 60.0, 6.0)))
    for place, name in enumerate(MODALITIES):
        distance = np.abs(influence.moved[:, place])
        assert (distance > 0).all() if name == modality else (distance == 0).all()
    assert influence.most == {name: float(name == modality) for name in MODALITIES}
    assert (influence.strongest == MODALITIES.index(modality)).all()


def test_a_linear_network_is_the_sum_of_its_influences_and_its_bias() -> None:
    scorer, rows = predictor(), batch(np.arange(8.0))
    with torch.no_grad():
        scorer.model.head[0].weight.mul_(0.1)
    estimates = scorer.score(rows)[:, SHOWN]
    assert np.abs(estimates).max() < 1, "no estimate is clipped"
    bias = scorer.model.head[0].bias.detach().numpy()[SHOWN]
    moved = found(scorer, rows).moved
    np.testing.assert_allclose(moved.sum(axis=1) + bias, estimates, atol=1e-5)


def test_what_moves_nothing_is_never_the_strongest() -> None:
    scorer = predictor()
    with torch.no_grad():
        scorer.model.head[0].weight.zero_()
    influence = found(scorer, batch(np.arange(3.0)))
    assert (influence.moved == 0).all()
    assert (influence.strongest == -1).all()
    assert set(influence.most.values()) == {0.0}


def test_rows_without_a_modality_tell_nothing_of_it_nor_rows_of_one_alone() -> None:
    influence = found(predictor(), gaps())
    told = np.isfinite(influence.moved).all(axis=2)
    expected = np.ones((12, 3), dtype=bool)
    expected[4:6, 2] = False
    expected[6:9] = False
    np.testing.assert_array_equal(told, expected)
    assert influence.rows == 9
    assert sum(influence.most.values()) == pytest.approx(1.0)
    assert (influence.strongest[6:9] == -1).all()
    effect = influence.effects["eda"]["arousal"]
    assert effect.mean_absolute is not None
    assert effect.mean_absolute.count == 7


def test_effects_are_plain_means_and_the_part_in_the_change() -> None:
    scorer, rows = predictor(), batch(np.arange(0.0, 60.0, 4.0))
    influence = found(scorer, rows)
    times, every = rows.times, scorer.score(rows)
    first, last = times < 20, times >= 40
    for name in MODALITIES:
        lacking = scorer.score(without(rows, name))
        for target, effect in influence.effects[name].items():
            column = TARGETS.index(target)
            moved = every[:, column] - lacking[:, column]
            change = moved[last].mean() - moved[first].mean()
            for part, value in (
                (effect.mean_absolute, np.abs(moved).mean()),
                (effect.before, np.abs(moved)[first].mean()),
                (effect.after, np.abs(moved)[last].mean()),
                (effect.change, change),
            ):
                assert part is not None
                assert part.mean == pytest.approx(value, abs=1e-6)
                assert part.low is None or part.low <= part.mean


@pytest.mark.parametrize(("rate", "expected"), [(30.0, 1.0), (0.5, 2.0)])
def test_at_most_one_row_a_second_is_taken_evenly(rate: float, expected: float) -> None:
    probe = InfluenceProbe(predictor(BODY))
    for times in np.array_split(3.3 + np.arange(round(40 * rate)) / rate, 7):
        if len(times):
            probe.add(body_rows(times), no_shares(len(times)))
    assert len(probe.times) == 40 / expected
    np.testing.assert_allclose(np.diff(probe.times), expected, atol=1 / 30 + 1e-9)


def test_a_long_session_keeps_a_bounded_number_of_rows_evenly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 24)
    probe, kept = InfluenceProbe(predictor(BODY)), []
    for start in np.arange(0.0, 100.0, 10.0):
        probe.add(body_rows(start + np.arange(10.0)), no_shares(10))
        kept.append(len(probe.times))
    assert max(kept) <= 24
    np.testing.assert_array_equal(probe.times, np.arange(0.0, 100.0, 8.0))
    assert probe.moved is not None
    assert probe.moved.shape == (13, 2, 2)


def test_without_anything_to_leave_out_the_reason_is_told() -> None:
    rows = batch(np.arange(2.0))
    probe = InfluenceProbe(None)
    probe.add(rows, None)
    assert probe.influence(PHASES) is None
    assert influence_result(None) is None
    alone = found(predictor(("face",)), rows)
    assert (alone.rows, dict(alone.effects), dict(alone.most)) == (0, {}, {})
    assert alone.reason == "the network reads face only, and without it nothing is left"
    one = {"ecg": slice(None), "eda": slice(None)}
    assert "no analysed time has two" in found(predictor(), batch(np.arange(2.0), one)).reason
    assert "no analysed time has two" in found(predictor()).reason


def test_the_result_is_plain_json_without_the_course() -> None:
    influence = found(predictor(training={"settings": {"modality_dropout": 0.2}}), gaps())
    written = json.loads(json.dumps(plain(influence_result(influence)), allow_nan=False))
    assert set(written) == {"modalities", "rows", "hidden_in_training", "reason"}
    assert (written["rows"], written["hidden_in_training"], written["reason"]) == (9, 0.2, None)
    assert set(written["modalities"]) == set(MODALITIES)
    face = written["modalities"]["face"]
    assert set(face) == {"valence", "arousal", "most"}
    assert set(face["valence"]) == {"mean_absolute", "before", "after", "change"}
    effect = influence.effects["face"]["valence"].mean_absolute
    assert effect is not None
    assert face["valence"]["mean_absolute"]["mean"] == effect.mean


def test_the_figure_tells_modalities_apart_without_colour_and_leaves_gaps_open() -> None:
    figure = influence_over_time(found(predictor(), gaps()), PHASES, (0.0, 60.0))
    assert figure is not None
    valence, _, strip = figure.axes
    named = {text.get_text() for text in valence.texts}
    assert named == {"before", "after", "Face", "ECG", "EDA"}
    lines = [line for line in valence.lines if len(line.get_xdata()) == 6]
    assert len({(str(line._dash_pattern), line.get_marker()) for line in lines}) == 3
    eda = next(line for line in lines if line.get_marker() == "s")
    np.testing.assert_array_equal(
        np.isnan(eda.get_ydata()), [False, False, True, True, False, False]
    )
    assert [label.get_text() for label in strip.get_yticklabels()] == ["Face", "ECG", "EDA"]


@pytest.mark.parametrize(
    ("training", "says"),
    [
        ({"settings": {"modality_dropout": 0.2}}, "probability of 0.2, so the network has learnt"),
        ({"settings": {"modality_dropout": 0.0}}, "In training no modality was hidden"),
        ({}, "does not say whether modalities were hidden"),
    ],
)
def test_the_section_says_whether_the_network_ever_did_without_a_modality(
    training: dict[str, Any], says: str
) -> None:
    page = section(found(predictor(training=training), gaps()))
    assert says in page
    assert "it is no cause of anything" in page
    assert page.count("<svg") == 1
    assert [name in page for name in (">Face<", ">ECG<", ">EDA<")] == [True] * 3


def test_the_section_tells_the_reason_or_is_left_out() -> None:
    alone = section(found(predictor(("eda",)), batch(np.arange(2.0))))
    assert "not computed: the network reads eda only" in alone
    assert "<svg" not in alone
    assert section(None).strip() == ""


def section(influence: Influence | None) -> str:
    session = SimpleNamespace(recording=SimpleNamespace(span=(0.0, 60.0)))
    assessment: Any = SimpleNamespace(
        influence=influence, phases=PHASES, session=session, affect=()
    )
    template = environment().get_template("therapy/influence.html.jinja")
    return template.render(influence=influence_content(assessment), simulated=True)
