"""Golden vectors of KAN-TTS against PyTorch models and engines; streams against whole utterances.

    python -m benchmarks.parity [GOLDENS] [--json FILE]

GOLDENS holds sambert_* and hifigan_* model folders and what KAN-TTS made of fixed inputs with them.
Every pair is imported with `python -m trt_build import`, and the engines run the imported pack. The
three tables are Markdown, every figure in them a largest absolute difference.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from benchmarks.speed import ROOT, machine
from engines import pipeline
from engines.acoustic import AcousticModel, MelStream, PostnetStream, Utterance
from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.session import Array, Floats, Session, zero_state
from engines.style import Controls
from engines.vocoder import VocoderStream
from engines.voice import Voice
from trt_build.__main__ import main as trt_build
from trt_build.export.checkpoint import load_generator, load_sambert
from trt_build.export.vocoder_graph import export_vocoder
from trt_build.importing.window import acoustic_model

PAIRS = {
    "16 kHz": ("sambert_16k", "hifigan_v1_16k"),
    "16 kHz, centred": ("sambert_16k", "hifigan_noncausal_v1_16k"),
    "24 kHz": ("sambert_24k", "hifigan_v1_24k"),
    "24 kHz, NSF": ("sambert_nsf_16k", "hifigan_v1_nsf_24k"),
    "16 kHz, NSF, centred": ("sambert_nsf_16k", "hifigan_noncausal_nsf_v1_16k"),
    "16 kHz, SE, global f0, NSF, centred": (
        "sambert_se_nsf_global_16k",
        "hifigan_noncausal_nsf_v1_16k",
    ),
}
FIRST_CHUNKS = (1, 6, 37, 10_000)  # mel frames
MINUTE = 4800  # mel frames at a hop of 12.5 ms
MIXED = (3, 50, 1, 17)  # mel frames, again and again
PIECES = ((1, (1,)), (80, (1,)), (80, (5,)), (80, MIXED), (MINUTE, (48,)), (MINUTE, MIXED))
TEXT = "今天天气真好，阳光洒在窗台上，我泡了一杯咖啡。"
Row = dict[str, str | float]


def far(got: Array | torch.Tensor, wanted: Array) -> float:
    """The largest absolute difference; infinite where shapes differ."""
    value = got.numpy() if isinstance(got, torch.Tensor) else got
    return float(np.abs(value - wanted).max()) if value.shape == wanted.shape else float("inf")


def imported(goldens: Path, pair: tuple[str, str], out: Path) -> VoicePack:
    """The pack of a pair of goldens, by the command a user types."""
    am, voc = (goldens / name for name in pair)
    command = ["import", "--am", str(am), "--voc", str(voc), "--out", str(out)]
    speaker = np.load(am / "expected.npz")["inputs_speaker"]
    if speaker.ndim == 3:
        np.save(out.with_suffix(".npy"), speaker[0, :1])
        command += ["--speaker", f"F7={out.with_suffix('.npy')}"]
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        status = trt_build(command)
    if status:
        raise SystemExit(told.getvalue())
    return VoicePack(out)


def acoustic_rows(folder: Path, engine: AcousticModel) -> Iterator[Row]:
    """PyTorch and engine against one SAMBERT golden, tensor by tensor."""
    expected: Mapping[str, Array] = np.load(folder / "expected.npz")
    speaker, length = expected["inputs_speaker"], int(expected["valid_length"])
    ling, emotion = (torch.from_numpy(expected[f"inputs_{n}"]) for n in ("ling", "emotion"))
    said = load_sambert(folder).infer(ling, emotion, torch.from_numpy(speaker))
    named = np.zeros_like(expected["inputs_emotion"]) if speaker.ndim == 3 else speaker
    ids = np.concatenate([ling.numpy(), emotion.numpy()[..., None], named[..., None]], -1)
    utterance = engine.prepare(ids[0].astype(np.int64), neutral())
    frames, mel = spoken(engine, utterance)
    durations = (torch.exp(said.log_durations) - 1 + 0.5).long()
    rows = {
        "text_hid": (said.text_hidden, None),
        "pitch_predictions": (said.pitch, None),
        "energy_predictions": (said.energy, None),
        "log_duration_predictions": (said.log_durations, None),
        "durations": (durations, utterance.durations[None]),
        "memory": (said.memory, utterance.memory[None]),
        "dec_outputs": (said.decoder_mel[:, :length], frames[None]),
        "postnet_outputs": (said.mel[:, :length], mel[None]),
    }
    for name, (ours, engines) in rows.items():
        row: Row = {"golden": folder.name, "tensor": name, "PyTorch": far(ours, expected[name])}
        yield row | ({} if engines is None else {"engine": far(engines, expected[name])})


def neutral() -> Controls:
    """No wishes."""
    return Controls("F7", "emotion_neutral", 1.0, 1.0, 1.0, 0.0, 1.0)


def spoken(engine: AcousticModel, utterance: Utterance) -> tuple[Floats, Floats]:
    """Decoder frames and finished mel frames (n, mels)."""
    stream = MelStream(engine, utterance)
    frames = np.concatenate([stream.step() for _ in range(stream.steps)])
    return frames, PostnetStream(engine, utterance.frames).feed(frames)


def vocoder_row(folder: Path, scratch: Path) -> Row:
    """PyTorch and graph against one HiFi-GAN golden, fed the golden's excitation."""
    expected: Mapping[str, Array] = np.load(folder / "expected.npz")
    generator = load_generator(folder)
    feeds = {name: expected[name] for name in ("mel", "excitation") if name in expected}
    with torch.no_grad():
        wave = generator(*(torch.from_numpy(value) for value in feeds.values()))
    path = scratch / f"{folder.name}.onnx"
    path.write_bytes(export_vocoder(generator).SerializeToString())
    session = OrtSession(path, 2)
    if session.state_size:
        feeds["state"] = zero_state(session)
    graph = session.run(feeds)["wave"]
    errors = {"PyTorch": far(wave, expected["wav"]), "engine": far(graph, expected["wav"][:, 0])}
    return {"golden": folder.name, "tensor": "wav", **errors}


def streaming_rows(name: str, pack: VoicePack) -> Iterator[Row]:
    """One pair: the vocoder over random frames in pieces, and the whole voice over a text."""
    vocoder = OrtSession(pack.graphs["vocoder"], 2)
    mels, rng = pack.file.acoustic.mels, np.random.default_rng(0)
    frames = rng.standard_normal((MINUTE, mels), np.float32)
    wholes = {n: waved(vocoder, pack, frames[:n], (n,)) for n in {n for n, _ in PIECES}}
    worst = max(far(waved(vocoder, pack, frames[:n], cuts), wholes[n]) for n, cuts in PIECES)
    told = f"vocoder, 1 to {MINUTE} frames in pieces of 1, 5, 48 and mixed sizes"
    yield {"voice": name, "streamed": told, "difference": worst}
    with Voice.load(pack.folder) as voice:
        wanted = whole_voice(voice, pack, acoustic_model(pack), vocoder)
        for first in FIRST_CHUNKS:
            with mock.patch.object(pipeline, "FIRST_CHUNK", first):
                pcm = np.concatenate([c.pcm for c in voice.stream(voice.plan(TEXT))])
            told = f"voice, first chunk of {first} frames"
            yield {"voice": name, "streamed": told, "difference": far(pcm, wanted)}


def waved(session: Session, pack: VoicePack, mel: Floats, cuts: Sequence[int]) -> Floats:
    """The wave of mel frames (n, mels) fed in pieces of these sizes, again and again."""
    stream, out, at, turn = VocoderStream(session, pack.file, len(mel)), [], 0, 0
    while at < len(mel):
        size = cuts[turn % len(cuts)]
        out.append(stream.feed(mel[at : at + size]))
        at, turn = at + size, turn + 1
    return np.concatenate(out)


def whole_voice(voice: Voice, pack: VoicePack, engine: AcousticModel, vocoder: Session) -> Floats:
    """The text with every graph run once over all it has to do."""
    plan, out = voice.plan(TEXT), []
    for part in plan.parts:
        _, mel = spoken(engine, engine.prepare(part.ids, plan.controls))
        out.append(waved(vocoder, pack, mel, (len(mel),)))
    return np.concatenate(out)


def table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Rows as Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [row.get(column, "") for column in columns]
        told = [f"{cell:.1e}" if isinstance(cell, float) and cell else str(cell) for cell in cells]
        lines.append("| " + " | ".join(told) + " |")
    return "\n".join(lines)


def measure(goldens: Path) -> dict[str, list[Row]]:
    """All three tables."""
    found: dict[str, list[Row]] = {"acoustic": [], "vocoder": [], "streaming": []}
    with tempfile.TemporaryDirectory() as folder:
        scratch, seen = Path(folder), set()
        for number, (name, pair) in enumerate(PAIRS.items()):
            print(f"{name} ...", file=sys.stderr, flush=True)
            pack = imported(goldens, pair, scratch / f"pair{number}")
            if pair[0] not in seen:
                found["acoustic"] += acoustic_rows(goldens / pair[0], acoustic_model(pack))
            seen.add(pair[0])
            found["streaming"] += streaming_rows(name, pack)
        for model in sorted(goldens.glob("hifigan_*")):
            found["vocoder"].append(vocoder_row(model, scratch))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("goldens", nargs="?", type=Path, default=ROOT / "tests/data/kantts")
    parser.add_argument("--json", type=Path, help="write all figures here as well")
    args = parser.parse_args(argv)
    found = measure(args.goldens)
    columns = ("golden", "tensor", "PyTorch", "engine")
    print(table(found["acoustic"], columns), end="\n\n")
    print(table(found["vocoder"], columns), end="\n\n")
    print(table(found["streaming"], ("voice", "streamed", "difference")))
    if args.json:
        args.json.write_text(json.dumps({"machine": machine(), **found}, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
