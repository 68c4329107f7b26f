"""Write a trained voice as a voice pack that the daemon loads."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import onnx
import tomli_w
from torch import Tensor

from engines.errors import VoiceError
from engines.pack import FORMAT, VoicePack, fingerprint
from engines.pauses import PAUSES
from engines.text.symbols import SymbolTable
from trt_build.export.acoustic_graph import export_acoustic
from trt_build.export.decoder_graph import decoder_sizes
from trt_build.export.hifigan import Generator
from trt_build.export.postnet_graph import postnet_lag
from trt_build.export.sambert import Sambert
from trt_build.export.vocoder_context import vocoder_context
from trt_build.export.vocoder_graph import export_vocoder
from trt_build.staging import PACK_FILE, staging

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EDITABLE = ("presets", "pauses")
WORDS = ("name", "language", "licence")
WINDOW = 16  # decoder steps; of a voice whose band is not fixed


@dataclass(frozen=True, slots=True)
class VoiceCard:
    """What a pack says of itself. texts: further files by name, such as LICENSE and README.md."""

    name: str
    language: str
    licence: str
    presets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    fallback: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceStats:
    """How the acoustic model writes f0 and voicing, and the excitation the vocoder learned.

    f0_mean and f0_std in Hz; coupled: overtones in phase with f0; alpha: amplitude of a partial;
    sigma: deviation of its noise; voicing_threshold: of the predicted voicing.
    """

    f0_mean: float
    f0_std: float
    coupled: bool
    alpha: float
    sigma: float
    voicing_threshold: float


def export_voice(
    out: Path,
    *,
    card: VoiceCard,
    sambert: Sambert,
    generator: Generator,
    table: SymbolTable,
    source: SourceStats | None,
    statistics: Mapping[str, Any],
    sample_rate: int,
) -> None:
    """Write the pack into `out`, replacing graphs and voice.toml of an earlier one.

    Everything is written beside `out` first, so a failure leaves what was there.

    Raises:
        ExportError: see `staging`, `export_acoustic`.
    """
    graphs = {**export_acoustic(sambert), "vocoder": export_vocoder(generator)}
    contents = {
        "format": FORMAT,
        "name": card.name,
        "language": card.language,
        "licence": card.licence,
        "sample_rate": sample_rate,
        "hop_length": generator.config.hop_length,
        "symbols": _symbols(table, card.fallback),
        "acoustic": _acoustic(sambert),
        "vocoder": {"context": vocoder_context(generator)},
        **({"source": _source(generator, source)} if source else {}),
        "presets": {name: dict(preset) for name, preset in card.presets.items()},
        "pauses": dict(PAUSES),
        "statistics": dict(statistics),
    }
    contents["fingerprint"] = fingerprint(contents)
    with staging(out) as place:
        pack = place / "pack"
        contents["graphs"] = {name: _write_graph(pack, name, g) for name, g in graphs.items()}
        for name, text in card.texts.items():
            (pack / name).write_text(text, "utf-8")
        _write(pack, contents)


def set_window(folder: Path, steps: int) -> None:
    """Lay out the decoder of a finished pack for bands of up to `steps` - 1.

    Raises:
        VoiceError: see VoicePack.
    """
    contents = _read(folder)
    contents["acoustic"]["window"] = steps
    contents["fingerprint"] = fingerprint(contents)
    _write(folder, contents)


def words_of(earlier: Path) -> dict[str, str]:
    """What a pack says of itself, which may be edited by hand; nothing where there is no pack."""
    before = _read_if_any(earlier)
    return {key: before[key] for key in WORDS if key in before}


def carry_over(earlier: Path, folder: Path) -> list[str]:
    """Take presets and pauses of an earlier pack, which may be edited by hand, into a finished one.

    Returns the names of what was taken; nothing where there is no earlier pack that can be read.

    Raises:
        VoiceError: see VoicePack, of the finished pack.
    """
    before = _read_if_any(earlier)
    contents = _read(folder)
    taken = [key for key in EDITABLE if before.get(key) and before[key] != contents.get(key)]
    contents.update((key, before[key]) for key in taken)
    _write(folder, contents)
    return taken


def _read_if_any(folder: Path) -> dict[str, Any]:
    try:
        return _read(folder)
    except (OSError, VoiceError):
        return {}


def _read(folder: Path) -> dict[str, Any]:
    path = VoicePack(folder).folder / PACK_FILE
    return tomllib.loads(path.read_text("utf-8"))


def _write(folder: Path, contents: dict[str, Any]) -> None:
    (folder / PACK_FILE).write_text(tomli_w.dumps(contents), "utf-8")


def _write_graph(folder: Path, name: str, model: onnx.ModelProto) -> dict[str, str]:
    data = model.SerializeToString(deterministic=True)
    (folder / f"{name}.onnx").write_bytes(data)
    return {"file": f"{name}.onnx", "sha256": hashlib.sha256(data).hexdigest()}


def _symbols(table: SymbolTable, fallback: Mapping[str, str]) -> dict[str, Any]:
    return {
        "phones": list(table.phones),
        "tones": list(table.tones),
        "emotions": list(table.emotions),
        "speakers": list(table.speakers),
        "mask": table.mask,
        "fallback": dict(fallback),
    }


def _acoustic(sambert: Sambert) -> dict[str, int]:
    sizes, params = asdict(decoder_sizes(sambert)), sambert.params
    band = params.get("pnca_band", 0)
    return {
        **sizes,
        "text": params["encoder_projection_units"],
        "postnet_lag": postnet_lag(sambert),
        "max_symbols": params["max_len"],
        "band": band,
        "window": band + 1 if band else WINDOW,
    }


def _source(generator: Generator, stats: SourceStats) -> dict[str, Any]:
    merge = generator.source_module.ffn[0]
    weight, bias = merge.weight, merge.bias
    assert isinstance(weight, Tensor)
    assert isinstance(bias, Tensor)
    return {"weights": weight.flatten().tolist(), "bias": bias.item(), **asdict(stats)}
