"""Voice packs: a folder with `voice.toml`, the graphs it names, and their hashes."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from engines.errors import VoiceError
from engines.pauses import LONGEST_PAUSE, PAUSES, Mark

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FORMAT = 1
PACK_FILE = "voice.toml"
Size = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=LONGEST_PAUSE)]
Names = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
GRAPHS = ("encoder", "duration_step", "memory", "decoder_step", "postnet", "vocoder")


TIED = ("sample_rate", "hop_length", "symbols", "acoustic", "vocoder", "source")


def fingerprint(table: Mapping[str, Any]) -> str:
    """SHA-256 of all in voice.toml that must fit the graphs.

    Names, presets and pauses may be edited.
    """
    tied = {key: table.get(key) for key in TIED}
    text = json.dumps(tied, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Symbols(msgspec.Struct, frozen=True):
    """The vocabulary in id order, and what to say for symbols the voice was not trained on."""

    phones: Names
    tones: Names
    emotions: Names
    speakers: Names
    mask: bool = True
    fallback: dict[str, str] = {}


class Acoustic(msgspec.Struct, frozen=True):
    """What the host must know of SAMBERT.

    mels: values per frame, f0 and voicing included. layers, heads, width: of the decoder. memory:
    values of its memory per step, of which text * frames_per_step come first. postnet_lag: frames
    by which the postnet trails. max_symbols: of one sentence. band: steps the decoder looks back
    and ahead; 0 means by the sentence's longest symbol. window: steps, this one included, that the
    decoder's keys and values are laid out for; a sentence of a wider band gets a wider one.
    """

    mels: Size
    frames_per_step: Size
    layers: Size
    heads: Size
    width: Size
    memory: Size
    text: Size
    postnet_lag: Count
    max_symbols: Size
    band: Count = 0
    window: Size = 16

    @property
    def key_value(self) -> tuple[int, int, int]:
        """Shape of one decoder step's keys and values: layers, heads, key beside value."""
        return self.layers, self.heads, 2 * self.width // self.heads


class Vocoder(msgspec.Struct, frozen=True):
    """What the host must know of HiFi-GAN.

    context: mel frames on each side that a sample depends on, in a vocoder that looks ahead; 0 in a
    causal one, whose graph carries its history as state.
    """

    context: Count = 0


class Source(msgspec.Struct, frozen=True):
    """Neural source filter: how f0 and voicing become the vocoder's excitation.

    weights and bias merge the partials (f0 first) into one channel before tanh. f0 comes from the
    acoustic model as (Hz - f0_mean) / f0_std. coupled: overtones keep a fixed phase to f0.
    """

    weights: tuple[float, ...]
    bias: float
    f0_mean: float
    f0_std: float
    alpha: float = 0.1
    sigma: float = 0.003
    voicing_threshold: float = 0.6
    coupled: bool = False


class Preset(msgspec.Struct, frozen=True):
    """An emotion as prosody: speed and pitch range as factors, pitch in semitones, energy in units
    of the model, volume as a factor."""

    speed: float = 1.0
    pitch: float = 0.0
    range: float = 1.0
    energy: float = 0.0
    volume: float = 1.0


class GraphFile(msgspec.Struct, frozen=True):
    """One graph of the pack."""

    file: str
    sha256: str


class VoiceFile(msgspec.Struct, frozen=True):
    """The contents of voice.toml."""

    format: int
    name: str
    language: str
    licence: str
    sample_rate: Size
    hop_length: Size
    symbols: Symbols
    acoustic: Acoustic
    graphs: dict[str, GraphFile]
    fingerprint: str
    vocoder: Vocoder = Vocoder()
    source: Source | None = None
    presets: dict[str, Preset] = {}
    statistics: dict[str, Any] = {}
    pauses: dict[Mark, Seconds] = {}


class VoicePack:
    """A checked voice pack on disk."""

    def __init__(self, folder: Path) -> None:
        """Read and check the pack.

        Raises:
            VoiceError: voice_not_found, voice_broken (voice.toml or a graph is missing or
                malformed), voice_unsupported (a newer format), voice_hash_mismatch.
        """
        self.folder = folder
        self._stamp = _stamp(folder)  # taken first, so that no later change is missed
        self.file = self._read(folder / PACK_FILE)
        self.graphs = {name: self._graph(name) for name in GRAPHS}

    def has_changed(self) -> bool:
        """Whether the files of the folder are others than those that were read."""
        return _stamp(self.folder) != self._stamp

    @staticmethod
    def _read(path: Path) -> VoiceFile:
        if not path.is_file():
            raise VoiceError(
                "voice_not_found", f"{path.parent} is no voice pack: it has no voice.toml"
            )
        try:
            table = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise VoiceError("voice_broken", f"cannot read {path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise VoiceError("voice_broken", f"{path} is not valid TOML: {error}") from error
        if table.get("format") != FORMAT:
            raise VoiceError(
                "voice_unsupported",
                f"{path} has format {table.get('format')!r}, this sambertd reads {FORMAT}; "
                "update sambertd or export the voice again",
            )
        try:
            file = msgspec.convert(table, VoiceFile)
        except msgspec.ValidationError as error:
            raise VoiceError("voice_broken", f"{path}: {error}; {_cure(error)}") from error
        if fingerprint(table) != file.fingerprint:
            raise VoiceError(
                "voice_hash_mismatch",
                f"{path} was edited where it must fit the graphs ({', '.join(TIED)}); "
                "copy the pack again",
            )
        return file

    def _graph(self, name: str) -> Path:
        entry = self.file.graphs.get(name)
        if entry is None:
            raise VoiceError(
                "voice_broken", f"{self.folder} names no graph {name!r}; export it again"
            )
        path = self.folder / entry.file
        if path.parent != self.folder or not path.is_file():
            raise VoiceError("voice_broken", f"{path} is missing; copy the whole pack again")
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise VoiceError("voice_broken", f"cannot read {path}: {error.strerror}") from error
        if digest != entry.sha256:
            raise VoiceError(
                "voice_hash_mismatch",
                f"{path} is not the file voice.toml was written for (sha256 {digest[:12]}..., "
                f"expected {entry.sha256[:12]}...); copy the pack again",
            )
        return path


def _cure(error: msgspec.ValidationError) -> str:
    if "$.pauses" in str(error):
        return f"pauses are seconds from 0 to {LONGEST_PAUSE:g} after: {' '.join(PAUSES)}"
    return "export the voice again"


def _stamp(folder: Path) -> list[tuple[str, int, int, int]]:
    """What changes when the voice of a pack does: its graphs and its voice.toml."""
    try:
        files = sorted((folder / PACK_FILE, *folder.glob("*.onnx")))
        facts = [(path.name, path.stat()) for path in files]
    except OSError:
        return []
    return [(name, it.st_ctime_ns, it.st_size, it.st_ino) for name, it in facts]
