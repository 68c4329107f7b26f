"""The search for layers that bear INT8, on the built-in voice, by what is heard."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from engines.errors import VoiceError
from engines.pack import VoicePack
from tests.trt_build.closed_loop import ClosedLoop
from tests.trt_build.golden_graphs import BUILT_IN, ROOT, case
from tests.trt_build.listening import Ear as Listener
from tests.trt_build.listening import Heard, log_mel_distance
from trt_build.calibrate import observe
from trt_build.feeds import feeds
from trt_build.forms import ProcessorForm, QdqForm
from trt_build.groups import groups
from trt_build.loss_plot import plot_losses
from trt_build.placement import placement
from trt_build.quantize import half, qdq
from trt_build.ranges import percentile
from trt_build.sensitivity import LOST, Choice, Ear, search
from trt_build.trial_log import Trial, TrialLog

TEXTS = ["请进。"]
SPOKEN = ["请往后站，车门即将关闭。", "您好，欢迎光临。"]


@cache
def voice() -> VoicePack:
    return VoicePack(ROOT / BUILT_IN)


@cache
def loop(limit: float) -> tuple[ClosedLoop[Heard], Listener]:
    listener = Listener(limit)
    return ClosedLoop(voice(), TEXTS, listener), listener


@cache
def ranges(graph: str) -> dict[str, float]:
    seen = observe(case(BUILT_IN, graph).model, feeds(voice(), SPOKEN, graph))
    return {name: percentile(m) for name, m in seen.items()}


def loss(verdict: Heard) -> float:
    return verdict.mean["log_mel"]


def ear(limit: float) -> tuple[Ear[Heard], Listener]:
    score, listener = loop(limit)
    return Ear(score, loss, f"log-mel {limit}"), listener


def test_the_loop_hears_no_difference_where_there_is_none() -> None:
    score, _ = loop(1.0)
    heard = score("vocoder", case(BUILT_IN, "vocoder").model)
    assert heard.distances == pytest.approx((0.0,), abs=1e-3)


def test_the_loop_hears_int8_more_than_fp16_and_several_graphs_together() -> None:
    score, _ = loop(1.0)
    model = case(BUILT_IN, "decoder_step").model
    rough = qdq(model, ranges("decoder_step"), scales="fp32", single_rows=True)
    alone = loss(score("decoder_step", rough))
    assert loss(score("decoder_step", half(model))) < 0.1 * alone
    postnet = qdq(case(BUILT_IN, "postnet").model, ranges("postnet"), scales="fp32")
    together = loss(score.together({"decoder_step": rough, "postnet": postnet}))
    assert 0.5 * alone < together < 3.0


def test_all_groups_that_pass_together_are_chosen(tmp_path: Path) -> None:
    model = case(BUILT_IN, "postnet").model
    heard, listener = ear(2.0)
    told: list[Trial] = []
    choice = search(QdqForm(model, ranges("postnet")), heard, tmp_path / "log", told.append)
    assert choice.graph == "postnet"
    assert choice.groups == tuple(groups(model))
    assert not choice.dropped
    assert choice.best is not None
    assert choice.best.passed
    assert [trial.loss for trial in choice.alone] == sorted(
        (trial.loss for trial in choice.alone), reverse=True
    )
    assert len(told) == len(groups(model)) + 1 == listener.asked


def test_a_known_search_hears_nothing_and_chooses_the_same(tmp_path: Path) -> None:
    model, log = case(BUILT_IN, "postnet").model, tmp_path / "log"
    heard, listener = ear(3.0)
    form = QdqForm(model, ranges("postnet"))
    first = search(form, heard, log)
    asked, data = listener.asked, log.read_bytes()
    assert search(QdqForm(model, ranges("postnet")), heard, log) == first
    assert listener.asked == asked
    assert log.read_bytes() == data
    other = {name: 1.01 * x for name, x in ranges("postnet").items()}
    search(QdqForm(model, other), heard, log)
    assert listener.asked == asked + 6
    lines = [msgspec.json.decode(line, type=Trial) for line in log.read_bytes().splitlines()]
    assert len({trial.key for trial in lines}) == len(lines) == 12


def test_a_group_that_is_spoilt_is_given_up_and_the_rest_is_kept(tmp_path: Path) -> None:
    """Ranges far too small in one group of the vocoder clip what it is given."""
    model = case(BUILT_IN, "vocoder").model
    bad = "stage 1 block 1"
    spoilt = dict(ranges("vocoder"))
    for target in placement(model).targets:
        if target.node in groups(model)[bad]:
            spoilt[target.activation] /= 50
    heard, _ = ear(1.0)
    choice = search(QdqForm(model, spoilt, "fp32"), heard, tmp_path / "log")
    assert choice.dropped[0] == choice.alone[0].groups[0] == bad
    assert not choice.alone[0].passed
    assert "dB > 1.0 dB" in choice.alone[0].reasons[0]
    assert bad not in choice.groups
    assert len(choice.groups) >= 5
    assert choice.best is not None
    plot = tmp_path / "losses.png"
    plot_losses([choice], plot, "log-mel distance, dB")
    assert plot.read_bytes().startswith(b"\x89PNG")


def verdict_of(candidate: onnx.ModelProto) -> Heard:
    """As loud as the graph has layers in INT8: one passes, two do not."""
    weights = [t.name for t in candidate.graph.initializer if t.name.endswith("weight/int8")]
    return Heard((float(len(weights)),), 1.0)


def test_the_worst_go_one_at_a_time_until_the_rest_passes(tmp_path: Path) -> None:
    model = case(BUILT_IN, "memory").model
    heard = Ear(lambda _, candidate: verdict_of(candidate), loss, "layers")
    choice = search(QdqForm(model, {"memory": 5.0}), heard, tmp_path / "log")
    assert choice.groups == ("entry",)
    assert choice.dropped == ("memory_kv",)


def test_where_all_pass_together_nobody_need_be_heard_alone(tmp_path: Path) -> None:
    form = QdqForm(case(BUILT_IN, "postnet").model, ranges("postnet"))
    heard, listener = ear(2.5)
    choice = search(form, heard, tmp_path / "log", rank=False)
    assert (choice.groups, choice.alone, choice.dropped) == (form.groups, (), ())
    assert listener.asked == 1


def test_the_processors_int8_is_searched_alike(tmp_path: Path) -> None:
    model = case(BUILT_IN, "vocoder").model
    seen = observe(model, feeds(voice(), SPOKEN, "vocoder"))
    ends = {name: (m.low, m.high) for name, m in seen.items()}
    bad = "conv_blocks.3"
    for node in model.graph.node:
        if node.op_type == "Conv" and node.name.startswith(bad):
            ends[node.output[0]] = (-1e-3, 1e-3)
    form = ProcessorForm(model, ends)

    def score(graph: str, candidate: onnx.ModelProto) -> Heard:
        return loop(1.0)[0].heard({graph: form.session(candidate, 1)})

    choice = search(form, Ear(score, loss, "log-mel"), tmp_path / "log")
    assert choice.dropped[0] == bad
    assert bad not in choice.groups
    assert len(choice.groups) >= 4


def test_where_nothing_passes_nothing_is_chosen(tmp_path: Path) -> None:
    model = case(BUILT_IN, "memory").model

    def score(graph: str, candidate: onnx.ModelProto) -> Heard:
        if any(t.name.endswith("entry.weight/int8") for t in candidate.graph.initializer):
            raise VoiceError("voice_broken", "it says nothing")
        return Heard((float("nan"),), 1.0)

    choice = search(QdqForm(model, {"memory": 5.0}), Ear(score, loss, "none"), tmp_path / "log")
    assert choice.groups == ()
    assert choice.best is None
    assert sorted(choice.dropped) == ["entry", "memory_kv"]
    assert [trial.loss for trial in choice.alone] == [LOST, LOST]
    assert "it says nothing" in {reason for t in choice.alone for reason in t.reasons}
    plot_losses([choice], tmp_path / "losses.png", "dB")


def test_a_graph_with_nothing_for_int8_is_soon_done(tmp_path: Path) -> None:
    model = case(BUILT_IN, "decoder_step").model
    heard, listener = ear(1.0)
    before = listener.asked
    choice = search(QdqForm(model, {}), heard, tmp_path / "log")
    assert choice == Choice("decoder_step", (), (), (), None)
    assert listener.asked == before
    plot_losses([choice], tmp_path / "losses.png", "dB")


def test_a_log_that_a_crash_cut_off_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "log"
    one, two, three = (Trial(key, "g", ("a",), 1.0, True) for key in "123")
    log = TrialLog(path)
    log.add(one)
    log.add(two)
    path.write_bytes(path.read_bytes()[:-9])
    log = TrialLog(path)
    assert (log.get("1"), log.get("2")) == (one, None)
    log.add(three)
    log = TrialLog(path)
    assert (log.get("1"), log.get("2"), log.get("3")) == (one, None, three)


def test_the_plot_says_when_matplotlib_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError):
        plot_losses([], tmp_path / "none.png", "dB")


def test_the_ear_of_these_tests_hears() -> None:
    rng = np.random.default_rng(0)
    wave = rng.standard_normal(16000).astype(np.float32)
    assert log_mel_distance(wave, wave, 16000) == 0.0
    assert log_mel_distance(wave, 10 * wave, 16000) == pytest.approx(20.0, abs=0.5)
    assert log_mel_distance(wave, wave[:8000], 16000) > 10.0
