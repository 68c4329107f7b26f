"""Graphs of the built-in voice judged by the audio gate, and the command that does it."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from engines.ort_session import OrtSession
from engines.session import Array, Session
from engines.voice import RuntimeOptions, Voice
from tests.trt_build.spoken import BUILT_IN, RATE, built_in, few, rounded, spoken
from trt_build.__main__ import main
from trt_build.errors import BuildError
from trt_build.gate import Gate
from trt_build.pace import Replayed, Taped
from trt_build.verify import speak, verify_voices


class Changed:
    """A session whose answers are changed."""

    def __init__(self, session: Session, change: Callable[[dict[str, Array]], None]) -> None:
        self._session, self._change = session, change

    @property
    def state_size(self) -> int:
        return self._session.state_size

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        out = {name: value.copy() for name, value in self._session.run(feeds).items()}
        self._change(out)
        return out


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate(built_in(), few())


@pytest.fixture(scope="module")
def mild(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vocoder with weights of 8 bits."""
    return rounded("vocoder", 8, tmp_path_factory.mktemp("mild") / "vocoder.onnx")


@pytest.fixture(scope="module")
def ruined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vocoder with weights of 3 bits."""
    return rounded("vocoder", 3, tmp_path_factory.mktemp("ruined") / "vocoder.onnx")


def duration_step(change: float) -> Session:
    """Every log duration is off by so much."""

    def longer(out: dict[str, Array]) -> None:
        out["log_duration"] += np.float32(change)

    return Changed(OrtSession(built_in().graphs["duration_step"], 1), longer)


def test_fp32_itself_passes(gate: Gate) -> None:
    heard = gate.hear({})
    assert heard.verdict.passed
    for ours, theirs in zip(heard.reference, spoken(), strict=True):
        assert np.array_equal(ours, theirs)


def test_weights_of_8_bits_pass(gate: Gate, mild: Path) -> None:
    verdict = gate.judge({"vocoder": OrtSession(mild, 1)})
    assert verdict.passed, verdict.reasons
    assert 0.05 < verdict.mean["mcd_db"] < 0.3
    assert verdict.mean["snr_db"] > 25.0


def test_weights_of_3_bits_fail(gate: Gate, ruined: Path) -> None:
    verdict = gate.judge({"vocoder": OrtSession(ruined, 1)})
    assert not verdict.passed
    assert verdict.mean["mcd_db"] > 3.0
    assert verdict.strain > 3.0


def test_weights_of_3_bits_fail_without_pesq(
    gate: Gate, ruined: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pesq", None)
    assert not gate.judge({"vocoder": OrtSession(ruined, 1)}).passed


def test_durations_are_judged_as_durations(gate: Gate) -> None:
    """A little longer, FP32 says it at the same pace, and that is the same to the sample."""
    heard = gate.hear({"duration_step": duration_step(0.005)})
    assert heard.verdict.passed, heard.verdict.reasons
    assert 0.1 < heard.verdict.mean["duration_ms"] < 2.0
    for ours, theirs in zip(heard.reference, heard.candidate, strict=True):
        assert np.array_equal(ours, theirs)
    assert sum(map(len, heard.candidate)) != sum(map(len, spoken()))


def test_durations_that_are_heard_fail(gate: Gate) -> None:
    verdict = gate.judge({"duration_step": duration_step(0.1)})
    assert not verdict.passed
    assert all("duration of a symbol" in reason for reason in verdict.reasons)
    assert verdict.worst["duration_ms"] > 10.0


def test_the_step_of_the_decoder_is_judged_in_closed_loop(gate: Gate, tmp_path: Path) -> None:
    path = rounded("decoder_step", 3, tmp_path / "decoder_step.onnx")
    assert not gate.judge({"decoder_step": OrtSession(path, 1)}).passed


def test_a_vocoder_that_says_nan_once_fails() -> None:
    def once(out: dict[str, Array]) -> None:
        out["wave"][..., -1] = np.nan

    vocoder = Changed(OrtSession(built_in().graphs["vocoder"], 1), once)
    verdict = Gate(built_in(), few()[:1]).judge({"vocoder": vocoder})
    assert any("NaN" in reason for reason in verdict.reasons)


def test_a_graph_that_no_voice_has_is_refused(gate: Gate, mild: Path) -> None:
    with pytest.raises(BuildError, match="vocodr") as refused:
        gate.judge({"vocodr": OrtSession(mild, 1)})
    assert refused.value.code == "candidate_unknown"


def test_voices_at_their_own_pace(mild: Path) -> None:
    engines = {"vocoder": OrtSession(mild, 1)}
    with (
        Voice.load(BUILT_IN) as fp32,
        Voice(built_in(), RuntimeOptions(), engines) as good,
        Voice(built_in(), RuntimeOptions(), {"duration_step": duration_step(0.1)}) as slow,
    ):
        assert verify_voices(fp32, good, few()[:2]).passed
        verdict = verify_voices(fp32, slow, few()[:2])
    assert any(reason.startswith("length") for reason in verdict.reasons)


def test_a_tape_gives_its_answers_once() -> None:
    tape = Taped(OrtSession(built_in().graphs["duration_step"], 1))
    with Voice(built_in(), RuntimeOptions(), {"duration_step": tape}) as voice:
        first = speak(voice, few()[:1])
    with Voice(built_in(), RuntimeOptions(), {"duration_step": Replayed(tape)}) as voice:
        again = speak(voice, few()[:1])
        with pytest.raises(BuildError) as ended:
            speak(voice, few()[:1])
    assert np.array_equal(first[0], again[0])
    assert ended.value.code == "tape_ended"


# --- the command


def test_the_command_passes_what_is_good(
    mild: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, pairs = tmp_path / "figures.json", tmp_path / "pairs"
    command = ["verify", str(BUILT_IN), "--candidate", f"vocoder={mild}", "--sentences", "2"]
    assert main([*command, "--json", str(figures), "--wav", str(pairs)]) == 0
    told = capsys.readouterr()
    assert "PASSED" in told.out
    assert "mel-cepstral distortion, dB" in told.out
    assert "FP32: 2 of 2 sentences spoken" in told.err
    data = json.loads(figures.read_text("utf-8"))
    assert data["passed"]
    assert len(data["texts"]) == len(data["sentences"]) == 2
    assert data["mean"]["mcd_db"] > 0.0
    names = sorted(path.name for path in pairs.iterdir())
    assert names == [f"0{i}-{who}.wav" for i in (1, 2) for who in ("candidate", "fp32")]
    with wave.open(str(pairs / "01-fp32.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        assert file.getnframes() == len(spoken()[0])


def test_the_command_fails_what_is_bad_and_draws_it(
    ruined: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts, picture = tmp_path / "texts.txt", tmp_path / "worst.png"
    texts.write_text("门开了。\n", "utf-8")
    command = ["verify", str(BUILT_IN), "--candidate", f"vocoder={ruined}", "--texts", str(texts)]
    assert main([*command, "--plot", str(picture), "--markdown", "--float-qdq"]) == 1
    told = capsys.readouterr().out
    assert "| mel-cepstral distortion, dB |" in told
    assert "FAILED: " in told
    assert "门开了。" in told
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--candidate", "vocodr=x.onnx"], "candidate_unknown"),
        (["--candidate", "vocoder"], "candidate_unknown"),
        (["--candidate", "vocoder=missing.onnx"], "voice_broken"),
        (["--candidate", "vocoder=x.onnx", "--sentences", "0"], "not_comparable"),
        (["--candidate", "vocoder=x.onnx", "--texts", "missing.txt"], "not_comparable"),
    ],
)
def test_the_command_names_what_is_wrong(
    arguments: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(BUILT_IN), *arguments]) == 1
    assert capsys.readouterr().err.rstrip().endswith(f"[{code}]")


def test_figures_that_cannot_be_written_are_told(
    mild: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["verify", str(BUILT_IN), "--candidate", f"vocoder={mild}", "--sentences", "1"]
    assert main([*command, "--json", str(tmp_path / "no" / "where.json")]) == 1
    assert capsys.readouterr().err.rstrip().endswith("[cannot_write]")
