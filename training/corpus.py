"""The prepared corpus: recordings and features in flat arrays, one entry per recorded word."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import TrainingError
from training.features import HOP, Floats

HELD_OUT = Path(__file__).with_name("held_out.txt")
FEWEST = 20
ONE_IN = 20
INDEX = "corpus.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One recorded word: its text, its syllables as spoken, and its mel frames in the arrays."""

    text: str
    syllables: tuple[str, ...]
    start: int
    frames: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Mean and deviation of what the models see: mel per bin, f0 (Hz, voiced) and energy."""

    mel_mean: tuple[float, ...]
    mel_std: tuple[float, ...]
    f0_mean: float
    f0_std: float
    energy_mean: float
    energy_std: float


class Corpus:
    """Memory-mapped arrays: wave int16 (N * 200,), mel float16 (N, 80), f0 float32 (N,)."""

    def __init__(self, folder: Path) -> None:
        if not (folder / INDEX).is_file():
            raise TrainingError(
                "stage_missing", f"{folder} holds no prepared corpus; run --stage prepare first"
            )
        index = json.loads((folder / INDEX).read_text("utf-8"))
        self.folder = folder
        self.entries = [
            Entry(e["text"], tuple(e["syllables"]), e["start"], e["frames"])
            for e in index["entries"]
        ]
        stats: dict[str, Any] = index["stats"]
        for name in ("mel_mean", "mel_std"):
            stats[name] = tuple(stats[name])
        self.stats = Stats(**stats)
        self.wave: npt.NDArray[np.int16] = np.load(folder / "wave.npy", mmap_mode="r")
        self.mel: npt.NDArray[np.float16] = np.load(folder / "mel.npy", mmap_mode="r")
        self.f0: Floats = np.load(folder / "f0.npy", mmap_mode="r")

    @property
    def held_out(self) -> list[Entry]:
        """Words that no training stage may touch, every take of them."""
        out = held_out_texts(e.text for e in self.entries)
        return [e for e in self.entries if e.text in out]

    @property
    def training(self) -> list[Entry]:
        """Everything else."""
        out = held_out_texts(e.text for e in self.entries)
        return [e for e in self.entries if e.text not in out]

    def wave_of(self, entry: Entry) -> Floats:
        """Audio (frames * 200,) in [-1, 1]."""
        cut = self.wave[entry.start * HOP : (entry.start + entry.frames) * HOP]
        return cut.astype(np.float32) / 32768.0

    def mel_of(self, entry: Entry) -> Floats:
        """Mel (frames, 80), standardised."""
        cut = self.mel[entry.start : entry.start + entry.frames].astype(np.float32)
        mean, std = np.array([self.stats.mel_mean, self.stats.mel_std], np.float32)
        standardised: Floats = (cut - mean) / std
        return standardised

    def f0_of(self, entry: Entry) -> Floats:
        """f0 (frames,) in Hz, 0 where unvoiced."""
        return np.asarray(self.f0[entry.start : entry.start + entry.frames])


class CorpusWriter:
    """Collects words, then writes the arrays and the index at once."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._wave: list[npt.NDArray[np.int16]] = []
        self._mel: list[Floats] = []
        self._f0: list[Floats] = []
        self._frames = 0

    def add(
        self, text: str, syllables: tuple[str, ...], wave: Floats, mel: Floats, f0: Floats
    ) -> None:
        """Append one word; wave is (frames * 200,), mel (frames, 80), f0 (frames,)."""
        self._entries.append(Entry(text, syllables, self._frames, len(mel)))
        self._wave.append(np.clip(np.rint(wave * 32768.0), -32768, 32767).astype(np.int16))
        self._mel.append(mel)
        self._f0.append(f0)
        self._frames += len(mel)

    def write(self, folder: Path) -> None:
        """Write the corpus; the index comes last, so a folder with an index is whole."""
        folder.mkdir(parents=True, exist_ok=True)
        mel = np.concatenate(self._mel)
        f0 = np.concatenate(self._f0)
        np.save(folder / "wave.npy", np.concatenate(self._wave))
        np.save(folder / "mel.npy", mel.astype(np.float16))
        np.save(folder / "f0.npy", f0.astype(np.float32))
        level, voiced = mel.mean(axis=1), f0[f0 > 0]
        stats = Stats(
            tuple(map(float, mel.mean(axis=0))),
            tuple(map(float, np.maximum(mel.std(axis=0), 1e-3))),
            float(voiced.mean()),
            float(voiced.std()),
            float(level.mean()),
            float(level.std()),
        )
        index = {"entries": [asdict(e) for e in self._entries], "stats": asdict(stats)}
        (folder / INDEX).write_text(json.dumps(index, ensure_ascii=False, indent=1), "utf-8")


def held_out_texts(texts: Iterable[str]) -> set[str]:
    """Which of these words to hold out; a word's fate does not hang on the others around it.

    Those of held_out.txt; where fewer than 20 of them and fewer than one in 20 of the words are
    there, also one in 20 words of two to four characters, by the SHA-256 of the word.
    """
    words = set(texts)
    out = words & set(HELD_OUT.read_text("utf-8").split())
    if len(out) < min(FEWEST, len(words) / ONE_IN):
        out |= {w for w in words if 2 <= len(w) <= 4 and _hash(w) % ONE_IN == 0}
    return out


def _hash(word: str) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest(), "big")


def recordings(folder: Path) -> Iterator[tuple[str, Path]]:
    """(text, file) for every recording named after the Chinese characters it says."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in {".mp3", ".wav", ".flac", ".ogg"}:
            continue
        text = path.stem.removeprefix("cmn-")
        if text and all("\u4e00" <= c <= "\u9fff" for c in text):
            yield text, path
