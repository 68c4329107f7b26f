"""What is delivered that is no Python package: the voice, and the tables of the text front end."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent
DATA = ROOT / "engines/text/data"


@dataclass(frozen=True)
class Part:
    """Files of others within ours. `kind` as CycloneDX has it; `licence` in SPDX."""

    name: str
    version: str
    kind: str
    licence: str
    about: str
    source: str
    files: tuple[str, ...]  # from the top of the checkout

    def sha256(self) -> str:
        """Of all its files, one after the other."""
        digest = sha256()
        for file in self.files:
            digest.update((ROOT / file).read_bytes())
        return digest.hexdigest()


KANTTS = ("PhoneSet.xml", "tonelist.txt", "py2phoneMap.txt")
GRAPHS = ("decoder_step", "duration_step", "encoder", "memory", "postnet", "vocoder")
PARTS = (
    Part(
        "KAN-TTS symbols",
        "66202d0",
        "data",
        "MIT",
        "Phones, tones and pinyin syllables, unchanged",
        "https://github.com/alibaba-damo-academy/KAN-TTS",
        tuple(f"engines/text/data/kantts/{name}" for name in KANTTS),
    ),
    Part(
        "g2pM",
        "0.1.2.5",
        "machine-learning-model",
        "Apache-2.0",
        "Weights of a predictor of Mandarin polyphones, as float32 arrays",
        "https://github.com/kakaobrain/g2pM",
        ("engines/text/data/g2pm/g2pm.npz",),
    ),
    Part(
        "CMU Pronouncing Dictionary",
        "0f8072f",
        "data",
        "BSD-2-Clause",
        "First pronunciation of each English word",
        "https://github.com/cmusphinx/cmudict",
        ("engines/text/data/english/cmudict.txt",),
    ),
    Part(
        "PaddleSpeech neutral tones",
        "0ce4ed7",
        "data",
        "Apache-2.0",
        "Words that end in a neutral tone, changed",
        "https://github.com/PaddlePaddle/PaddleSpeech",
        ("engines/text/data/words/neutral.txt",),
    ),
    Part(
        "pypinyin readings",
        "0.55.0",
        "data",
        "MIT",
        "Readings of phrases and characters, changed",
        "https://github.com/mozillazg/python-pinyin",
        ("engines/text/data/pinyin/by_phrase.txt", "engines/text/data/pinyin/by_character.txt"),
    ),
    Part(
        "CLDR names of emoji",
        "48",
        "data",
        "Unicode-3.0",
        "Names of emoji in Chinese, changed",
        "https://github.com/unicode-org/cldr-json",
        ("engines/text/data/emoji/zh.txt",),
    ),
    Part(
        "voice yue",
        "1",
        "machine-learning-model",
        "CC-BY-SA-3.0",
        "The built-in voice, trained on recordings of Yue Tan (Shtooka, cmn-caen-tan)",
        "https://github.com/hugolpz/audio-cmn",
        ("voices/yue/voice.toml", *(f"voices/yue/{name}.onnx" for name in GRAPHS)),
    ),
)
