"""The graphs of SAMBERT, run as the engines run them, equal the PyTorch model."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engines.acoustic import AcousticModel, AcousticSessions
from engines.pack import Acoustic
from engines.style import Controls
from tests.trt_build.models import (
    CLOSE,
    FROM_KANTTS,
    VOCABULARY,
    Array,
    Runner,
    Slot,
    decode_together,
    distance,
    noise,
    small_sambert,
    stream_postnet,
)
from trt_build.export.acoustic_graph import export_acoustic
from trt_build.export.checkpoint import load_sambert
from trt_build.export.decoder_graph import decoder_sizes
from trt_build.export.errors import ExportError
from trt_build.export.postnet_graph import postnet_lag
from trt_build.export.sambert import Acoustics, Sambert

KANTTS = Path(__file__).parents[1] / "data" / "kantts"
GOLDEN = sorted(path.name for path in KANTTS.glob("sambert_*"))
VARIANTS = {
    "three_frames": {},
    "two_frames": {"outputs_per_step": 2, "pnca_band": 2},
    "no_lag": {"postnet_shift": 4, "outputs_per_step": 1, "predictor_shift": 1},
}


@cache
def made(name: str) -> tuple[Sambert, dict[str, Runner]]:
    model = small_sambert(**VARIANTS[name])
    return model, {graph: Runner(proto) for graph, proto in export_acoustic(model).items()}


def symbols(length: int, seed: int = 0) -> Array:
    """Random ids (1, T, 6)."""
    v, rng = VOCABULARY, np.random.default_rng(seed)
    sizes = (v.sy, v.tone, v.syllable_flag, v.word_segment, v.emotion, v.speaker)
    return np.stack([rng.integers(0, n, (1, length)) for n in sizes], -1)


def said(model: Sambert, ids: Array) -> Acoustics:
    t = torch.from_numpy(ids)
    return model.infer(t[..., :4], t[..., 4], t[..., 5])


def encoded(run: Runner, ids: Array, scale: float, shift: float, energy: float) -> dict[str, Array]:
    one = np.ones(1, np.float32)
    return run(ids=ids, pitch_scale=one * scale, pitch_shift=one * shift, energy_shift=one * energy)


@torch.no_grad()
def wanted_encoding(
    model: Sambert, ids: Array, scale: float, shift: float, energy_shift: float
) -> dict[str, Tensor]:
    """What the encoder must say, by the model's own parts."""
    adaptor, t = model.variance_adaptor, torch.from_numpy(ids)
    text = model.text_encoder(t[..., :4])
    who = torch.cat([model.speaker_hidden(t[..., 5]), model.emo_tokenizer(t[..., 4])], -1)
    joined = torch.cat([text, who], -1)
    pitch = adaptor.pitch_predictor(joined) * scale + shift
    energy = adaptor.energy_predictor(joined) + energy_shift
    text = adaptor.coloured(text, pitch, energy)
    return {"text": text, "cond": torch.cat([text, who], -1), "pitch": pitch, "energy": energy}


def decoded(run: dict[str, Runner], model: Sambert, memory: Array, band: int, wide: int) -> Array:
    slot = Slot(run["memory"], memory, band, model.num_mels, window=band + 1 + wide)
    return np.concatenate(
        [decode_together(run["decoder_step"], [slot])[0] for _ in range(len(memory))]
    )


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("length", [1, 11, 40])
def test_encoder_with_changed_prosody(name: str, length: int) -> None:
    model, run = made(name)
    ids = symbols(length)
    out = encoded(run["encoder"], ids, 1.3, -0.2, 0.4)
    for value, wanted in wanted_encoding(model, ids, 1.3, -0.2, 0.4).items():
        assert distance(out[value], wanted.numpy()) < CLOSE, value


@pytest.mark.parametrize("name", VARIANTS)
def test_durations_step_by_step_in_a_batch(name: str) -> None:
    model, run = made(name)
    predictor, step = model.variance_adaptor.duration_predictor, run["duration_step"]
    cond = noise(3, 2, 9, predictor.d_cond)
    with torch.no_grad():
        wanted = predictor.infer(torch.from_numpy(cond)).numpy()
    assert wanted.min() > 0
    last, state, got = np.zeros((2, 1), np.float32), step.start(2), []
    for i in range(cond.shape[1]):
        out = step(last=last, cond=cond[:, i], state=state)
        last, state = out["log_duration"], out["next_state"]
        got.append(last)
    assert distance(np.concatenate(got, 1), wanted) < CLOSE


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("wide", [0, 3])
def test_decoder_steps_equal_the_whole_utterance(name: str, wide: int) -> None:
    model, run = made(name)
    out = said(model, symbols(12))
    frames = decoded(run, model, out.memory[0].numpy(), out.band, wide)
    length = int(out.lengths)
    assert len(frames) >= length > 12
    assert distance(frames[:length], out.decoder_mel[0, :length].numpy()) < CLOSE


def test_utterances_join_and_leave_a_decoder_batch_unharmed() -> None:
    model, run = made("two_frames")
    utterances = [said(model, symbols(n, seed=n)) for n in (6, 9)]
    alone = [decoded(run, model, u.memory[0].numpy(), u.band, 0) for u in utterances]
    slots = [Slot(run["memory"], u.memory[0].numpy(), u.band, model.num_mels) for u in utterances]
    frames: list[list[Array]] = [[], []]
    turn = 0
    while not all(slot.done for slot in slots):
        present = [n for n, s in enumerate(slots) if not s.done and turn >= 2 * n]
        steps = decode_together(run["decoder_step"], [slots[n] for n in present])
        for n, step in zip(present, steps, strict=True):
            frames[n].append(step)
        turn += 1
    for got, wanted in zip(frames, alone, strict=True):
        assert distance(np.concatenate(got), wanted) < CLOSE


@pytest.mark.parametrize("name", VARIANTS)
@settings(deadline=None, max_examples=10)
@given(chunks=st.lists(st.integers(1, 9), min_size=1, max_size=8), length=st.integers(1, 25))
def test_postnet_in_any_cut_equals_the_whole_pass(
    name: str, chunks: list[int], length: int
) -> None:
    model, run = made(name)
    lag = postnet_lag(model)
    chunks = [*chunks, max(1, length + lag - sum(chunks))]
    frames = noise(4, 1, length, model.num_mels)
    with torch.no_grad():
        wanted = frames + model.mel_postnet(torch.from_numpy(frames)).numpy()
    assert distance(stream_postnet(run["postnet"], frames, [length], chunks, lag), wanted) < CLOSE


def test_postnet_streams_of_unequal_length_in_one_batch() -> None:
    model, run = made("three_frames")
    lag, lengths, chunks = postnet_lag(model), [7, 19], [4] * 6
    frames = noise(5, 2, 19, model.num_mels)
    both = stream_postnet(run["postnet"], frames, lengths, chunks, lag)
    for b, length in enumerate(lengths):
        mine = frames[b : b + 1, :length]
        alone = stream_postnet(run["postnet"], mine, [length], chunks, lag)
        assert distance(both[b : b + 1, :length], alone) < CLOSE


@cache
def golden(name: str) -> tuple[Sambert, dict[str, Runner], dict[str, Array], Array]:
    """A KAN-TTS voice, its graphs, what the reference made, and the ids (1, T, 6) it made it of."""
    expected = dict(np.load(KANTTS / name / "expected.npz"))
    model = load_sambert(KANTTS / name)
    speaker = expected["inputs_speaker"]
    if model.takes_embeddings:
        model = model.with_speakers(torch.from_numpy(speaker[0, :1]))
        speaker = np.zeros(speaker.shape[:2], np.int64)
    columns = [expected["inputs_emotion"][..., None], speaker[..., None]]
    ids = np.concatenate([expected["inputs_ling"], *columns], -1).astype(np.int64)
    run = {graph: Runner(proto) for graph, proto in export_acoustic(model).items()}
    return model, run, expected, ids


@pytest.mark.parametrize("name", GOLDEN)
def test_a_kantts_checkpoint_from_symbols_to_mel(name: str) -> None:
    model, run, expected, ids = golden(name)
    out = encoded(run["encoder"], ids, 1.0, 0.0, 0.0)
    assert distance(out["pitch"], expected["pitch_predictions"]) < FROM_KANTTS
    assert distance(out["energy"], expected["energy_predictions"]) < FROM_KANTTS
    logs = spoken_durations(run["duration_step"], out["cond"][0])
    assert distance(logs[None], expected["log_duration_predictions"]) < FROM_KANTTS
    length, band = int(expected["valid_length"]), int(expected["x_band_width"])
    frames = decoded(run, model, expected["memory"][0], band, 0)[:length]
    assert distance(frames, expected["dec_outputs"][0]) < FROM_KANTTS
    lag = postnet_lag(model)
    chunks = [7] * ((length + lag) // 7 + 1)
    mel = stream_postnet(run["postnet"], frames[None], [length], chunks, lag)
    assert distance(mel, expected["postnet_outputs"]) < FROM_KANTTS


def spoken_durations(step: Runner, cond: Array) -> Array:
    """Log durations (T,) symbol by symbol."""
    last, state, logs = np.zeros((1, 1), np.float32), step.start(), []
    for row in cond:
        out = step(last=last, cond=row[None], state=state)
        last, state = out["log_duration"], out["next_state"]
        logs.append(last[0, 0])
    return np.array(logs)


@pytest.mark.parametrize("name", GOLDEN)
@settings(deadline=None, max_examples=4)
@given(
    slots=st.lists(
        st.tuples(st.integers(1, 30), st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=8
    )
)
def test_any_batch_fill_of_a_kantts_decoder(name: str, slots: list[tuple[int, int, int]]) -> None:
    """Slots of any length and band that join at any step, against PyTorch each on its own."""
    model, run, expected, _ = golden(name)
    window = max(band for _, band, _ in slots) + 2
    memories = [expected["memory"][0, :length] for length, _, _ in slots]
    running = [
        Slot(run["memory"], memory, band, model.num_mels, window)
        for memory, (_, band, _) in zip(memories, slots, strict=True)
    ]
    frames: list[list[Array]] = [[] for _ in slots]
    turn = 0
    while not all(slot.done for slot in running):
        present = [
            n for n, (_, _, start) in enumerate(slots) if turn >= start and not running[n].done
        ]
        steps = decode_together(run["decoder_step"], [running[n] for n in present])
        for n, step in zip(present, steps, strict=True):
            frames[n].append(step)
        turn += 1
    stack = model.mel_decoder.mel_dec
    for got, memory, (_, band, _) in zip(frames, memories, slots, strict=True):
        with torch.no_grad():
            wanted = stack.infer(torch.from_numpy(memory[None]), band, model.num_mels)
        assert distance(np.concatenate(got), wanted[0].reshape(-1, model.num_mels).numpy()) < CLOSE


def test_sizes_that_the_host_must_know() -> None:
    model, _ = made("three_frames")
    sizes = decoder_sizes(model)
    assert (sizes.layers, sizes.width, sizes.mels, sizes.frames_per_step) == (2, 12, 5, 3)
    assert sizes.memory == 3 * 8 + 6 + 4
    assert postnet_lag(model) == 3 * 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"SE": True}, "speaker_embeddings"), ({"postnet_shift": 5}, "filter_shift")],
)
def test_voices_that_no_graph_can_hold_are_refused(changes: dict[str, int], code: str) -> None:
    with pytest.raises(ExportError) as caught:
        export_acoustic(small_sambert(**changes))
    assert caught.value.code == code


@pytest.mark.parametrize(("frames_per_step", "spread"), [(1, 12.0), (2, 12.0), (3, 25.0)])
def test_the_engine_looks_as_far_as_kantts(frames_per_step: int, spread: float) -> None:
    """By durations before they are rounded: at two frames a step, 2.6 frames are a band of 1."""
    model = small_sambert(outputs_per_step=frames_per_step)
    model.variance_adaptor.duration_predictor.fc.weight.data.mul_(spread)
    run = {graph: Runner(proto) for graph, proto in export_acoustic(model).items()}
    sizes = Acoustic(
        **asdict(decoder_sizes(model)),
        text=model.params["encoder_projection_units"],
        postnet_lag=postnet_lag(model),
        max_symbols=40,
    )
    engine = AcousticModel(sizes, AcousticSessions(**run), None)
    bands = set()
    for seed in range(40):
        ids = symbols(1 + seed % 3, seed)
        wanted = said(model, ids)
        got = engine.prepare(ids[0], Controls("", "", 1.0, 1.0, 1.0, 0.0, 1.0))
        assert (got.band, got.frames) == (wanted.band, int(wanted.lengths))
        bands.add(got.band)
    assert len(bands) > 1
