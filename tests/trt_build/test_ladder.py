"""One graph up the ladder, on real ONNX Runtime sessions; the gate's word is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from engines.errors import EngineError, VoiceError
from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.session import Session
from engines.store import Backend, Precision
from tests.trt_build import slow_voice
from trt_build.errors import BuildError
from trt_build.graph_file import read_graph
from trt_build.ladder import Climb, Entry, Rung, climb
from trt_build.stopwatch import Spoken, clock, spoken

GRAPH = "memory"


@dataclass(frozen=True)
class Word:
    """A verdict."""

    passed: bool = True
    reasons: tuple[str, ...] = ()
    mean: dict[str, float] = field(default_factory=dict)
    strain: float = 0.5


class Ear:
    """A gate that fails sessions of these files, and remembers what it was asked."""

    def __init__(self, *bad: Path) -> None:
        self._bad, self.asked = set(bad), list[tuple[str, ...]]()

    def __call__(self, sessions: Mapping[str, Session]) -> Word:
        self.asked.append(tuple(sessions))
        names = [session._name for session in sessions.values() if isinstance(session, OrtSession)]
        bad = [name for name in names if Path(name) in self._bad]
        return Word(not bad, tuple(f"{Path(name).stem} is bad" for name in bad))


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> VoicePack:
    return slow_voice.write(tmp_path_factory.mktemp("voices") / "tiny", [GRAPH])


@pytest.fixture(scope="module")
def said(pack: VoicePack) -> Spoken:
    return spoken(pack, ["你好。"], [GRAPH])[GRAPH]


@pytest.fixture(scope="module")
def files(pack: VoicePack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The graph slowed by so much."""
    folder = tmp_path_factory.mktemp("graphs")
    fast = pack.folder / f"{GRAPH}.fast"
    out = {"fast": folder / "fast.onnx", "middle": folder / "middle.onnx"}
    out["fast"].write_bytes(fast.read_bytes())
    model = slow_voice.slowed(read_graph(fast), 120)
    out["middle"].write_bytes(model.SerializeToString())
    out["slowest"] = folder / "slowest.onnx"
    model = slow_voice.slowed(read_graph(fast), 3000)
    out["slowest"].write_bytes(model.SerializeToString())
    out["broken"] = folder / "broken.onnx"
    out["broken"].write_bytes(fast.read_bytes()[:1000])
    out["other"] = pack.graphs["encoder"]
    return out


def entry(
    file: Path, precision: Precision = "int8", note: str = "", backend: Backend = "ort-cpu"
) -> Entry:
    return Entry(backend, precision, file, lambda: OrtSession(file, 1), note)


PRECISIONS: tuple[Precision, ...] = ("int8", "fp16")


def own(pack: VoicePack) -> Entry:
    return Entry("ort-cpu", "fp32", None, lambda: OrtSession(pack.graphs[GRAPH], 1))


def rung(*made: Entry) -> Rung:
    return Rung("ort-cpu", made[0].precision, lambda: made)


def failing(error: Exception) -> Rung:
    def make() -> Sequence[Entry]:
        raise error

    return Rung("ort-cpu", "int8", make)


def up(pack: VoicePack, said: Spoken, gate: Callable[..., Word], *rungs: Rung) -> Climb:
    return climb(GRAPH, own(pack), rungs, said, gate, lambda _: None)


def test_what_a_graph_is_fed_is_kept(pack: VoicePack, said: Spoken) -> None:
    assert said.seconds > 0.1
    assert all(set(feeds) == {"memory"} for feeds in said.calls)
    steps = spoken(pack, ["你好，今天天气真好。"], ["decoder_step"])["decoder_step"]
    assert len(steps.calls) <= 64
    assert 0.0 < steps.share <= 1.0


def test_the_fastest_that_passes_wins(
    pack: VoicePack, said: Spoken, files: dict[str, Path]
) -> None:
    gate = Ear()
    it = up(pack, said, gate, rung(entry(files["middle"], "fp16")), rung(entry(files["fast"])))
    assert it.winner.file == files["fast"]
    assert gate.asked == [(GRAPH,)]  # the slower ones were not listened to
    lost = {loser.precision: loser for loser in it.lost}
    assert {loser.code for loser in it.lost} == {"slower"}
    assert it.winner.time_ms < lost["fp16"].time_ms < lost["fp32"].time_ms
    assert "ms for a second of speech" in lost["fp32"].reason


def test_one_that_fails_the_gate_makes_way(
    pack: VoicePack, said: Spoken, files: dict[str, Path]
) -> None:
    gate = Ear(files["fast"])
    it = up(pack, said, gate, rung(entry(files["middle"], "fp16")), rung(entry(files["fast"])))
    assert it.winner.file == files["middle"]
    failed = it.lost[0]
    assert (failed.code, failed.reason) == ("gate_failed", "fast is bad")


def test_the_voices_own_graph_needs_no_gate(
    pack: VoicePack, said: Spoken, files: dict[str, Path]
) -> None:
    gate = Ear()
    it = up(pack, said, gate, rung(entry(files["slowest"])))
    assert it.winner.file is None
    assert gate.asked == []
    assert [loser.code for loser in it.lost] == ["slower"]


def test_a_recipe_of_several_candidates_gives_the_best(
    pack: VoicePack, said: Spoken, files: dict[str, Path]
) -> None:
    many = rung(entry(files["middle"], note="all"), entry(files["fast"], note="some"))
    it = up(pack, said, Ear(), many)
    assert it.winner.note == "some"
    assert any(loser.reason.startswith("all: ") for loser in it.lost)


@pytest.mark.parametrize(
    "error", [BuildError("build_crashed", "it crashed"), EngineError("gpu_memory", "it is full")]
)
def test_a_rung_that_fails_falls_to_the_next(
    pack: VoicePack, said: Spoken, files: dict[str, Path], error: BuildError | EngineError
) -> None:
    it = up(pack, said, Ear(), failing(error), rung(entry(files["fast"], "fp16")))
    assert it.winner.file == files["fast"]
    assert (it.lost[0].code, it.lost[0].reason) == (error.code, str(error))


@pytest.mark.parametrize("code", ["disk_full", "build_cancelled"])
def test_what_no_rung_can_help_ends_the_climb(pack: VoicePack, said: Spoken, code: str) -> None:
    with pytest.raises(BuildError):
        up(pack, said, Ear(), failing(BuildError(code, "no more")))


@pytest.mark.parametrize("which", ["broken", "other"])
def test_what_does_not_load_or_run_has_lost(
    pack: VoicePack, said: Spoken, files: dict[str, Path], which: str
) -> None:
    bad, good = rung(entry(files[which])), rung(entry(files["fast"], "fp16"))
    it = up(pack, said, Ear(), bad, good)
    assert it.winner.file == files["fast"]
    assert it.lost[0].code == "voice_broken"


def test_what_cannot_speak_has_failed(
    pack: VoicePack, said: Spoken, files: dict[str, Path]
) -> None:
    def gate(sessions: Mapping[str, Session]) -> Word:
        raise VoiceError("voice_broken", "the voice predicts no durations")

    it = up(pack, said, gate, rung(entry(files["fast"])))
    assert it.winner.file is None
    assert "no durations" in it.lost[0].reason


def test_a_voice_that_does_not_run_is_an_error(pack: VoicePack, files: dict[str, Path]) -> None:
    nonsense = Spoken([{"memory": np.zeros((1, 1), np.float32)}], 1.0)
    with pytest.raises(VoiceError):
        up(pack, nonsense, Ear(), rung(entry(files["fast"])))


def test_one_given_up_makes_way_for_the_next_that_passes(
    pack: VoicePack, said: Spoken, files: dict[str, Path]
) -> None:
    gate = Ear()
    it = up(pack, said, gate, rung(entry(files["middle"], "fp16")), rung(entry(files["fast"])))
    it.give_up(("too much in all",), gate, lambda _: None)
    assert it.winner.file == files["middle"]
    assert it.lost[0].code == "together_failed"
    it.give_up(("still",), gate, lambda _: None)
    assert it.winner.file is None


def test_a_loss_must_be_worth_it(pack: VoicePack, said: Spoken, files: dict[str, Path]) -> None:
    """The same graph as INT8 and as FP16: FP16 it is, whatever the stopwatch says by accident."""
    rungs = [rung(entry(files["fast"], precision, backend="tensorrt")) for precision in PRECISIONS]
    it = up(pack, said, Ear(), *rungs)
    times = {loser.precision: loser.time_ms for loser in it.lost}
    if it.winner.precision == "int8":  # only if it was measured to be faster than the handicap
        assert it.winner.time_ms * 1.04 <= times["fp16"] * 1.02
    else:
        assert it.winner.precision == "fp16"


def test_on_the_processor_int8_may_be_a_little_slower(
    pack: VoicePack, files: dict[str, Path]
) -> None:
    small = entry(files["fast"])
    assert small.handicap < own(pack).handicap == 1.0
    assert entry(files["fast"], backend="tensorrt").handicap > 1.0


def test_the_stopwatch_tells_one_second_of_speech(said: Spoken, files: dict[str, Path]) -> None:
    sessions = {name: OrtSession(files[name], 1) for name in ("fast", "slowest")}
    times, failed = clock(sessions, said)
    assert not failed
    assert times["fast"] < times["slowest"]
    twice, _ = clock(sessions, Spoken(said.calls, 2 * said.seconds))
    assert twice["slowest"] < times["slowest"]
