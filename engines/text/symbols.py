"""KAN-TTS symbols: sentences to symbol strings, and those to the ids a voice was trained on.

A symbol is `{phone$tone$syllable_flag$word_segment$emotion$speaker}`. The order of the vocabulary
is the id, so it follows KAN-TTS (github.com/alibaba-damo-academy/KAN-TTS, MIT) to the letter.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from engines.errors import StyleError, TextError, VoiceError
from engines.text.sentence import Sentence, Syllable, Word

DATA: Final = Path(__file__).parent / "data" / "kantts"

BREAKS: Final = ("#1", "#2", "#3", "#4")
SYLLABLE_FLAGS: Final = ("s_begin", "s_end", "s_none", "s_both", "s_middle")
WORD_SEGMENTS: Final = ("word_begin", "word_end", "word_middle", "word_both", "word_none")
EMOTIONS: Final = tuple(
    "emotion_" + name
    for name in (
        *("none", "neutral", "angry", "disgust", "fear", "happy", "sad", "surprise", "calm"),
        *("gentle", "relax", "lyrical", "serious", "disgruntled", "satisfied", "disappointed"),
        *("excited", "anxiety", "jealousy", "hate", "pity", "pleasure", "arousal", "dominance"),
        *(f"placeholder{n}" for n in range(1, 10)),
    )
)
PADDING: Final = ("_", "~")
MASK: Final = "@[MASK]"

_ENGLISH = re.compile(r"[A-Z]{1,2}[0-2]?(?: [A-Z]{1,2}[0-2]?)*")
_PINYIN = re.compile(r"([a-zê]+)([1-5])")
# pypinyin spells the rare syllables of interjections in ways KAN-TTS has no phones for.
_RARE = {"n": "en", "m": "mu", "ng": "en", "hm": "hen", "hng": "heng", "ê": "ei", "lo": "luo"}
_FIELDS = ("phone", "tone", "syllable flag", "word segment", "emotion", "speaker")


@cache
def phones_by_syllable() -> dict[str, tuple[str, ...]]:
    """Phones by toneless syllable: KAN-TTS's table, and all other erhua it has phones for."""
    table: dict[str, tuple[str, ...]] = {}
    for line in (DATA / "py2phoneMap.txt").read_text(encoding="utf-8").splitlines():
        key, tab, phones = line.partition("\t")
        if tab:
            table[key] = tuple(phones.split())
    known = set(read_phones(DATA / "PhoneSet.xml"))
    for key, (initial, final) in tuple(table.items()):
        rhotic = final.removesuffix("_c") + "r_c"
        if rhotic in known and not key.endswith("r"):
            table.setdefault(key + "r", (initial, rhotic))
    return table


def spell(base: str) -> str:
    """A toneless syllable in KAN-TTS's spelling: v for every ü sound (ju -> jv, lü -> lv)."""
    base = base.lower().replace("ü", "v").replace("u:", "v")
    if base[:2] in ("ju", "qu", "xu", "yu"):
        base = base[0] + "v" + base[2:]
    if base in ("lue", "nue"):
        base = base[0] + "ve"
    return _RARE.get(base, base)


def has_syllable(base: str) -> bool:
    """Whether KAN-TTS has phones for this toneless pinyin syllable."""
    return spell(base) in phones_by_syllable()


@lru_cache(1 << 12)
def syllable_phones(pinyin: str) -> tuple[tuple[str, ...], str]:
    """Phones and tone name of one syllable: "xue2" -> (("xx_c", "ve_c"), "tone2").

    Takes pinyin with a tone digit 1-5 (u:, ü or v for ü; erhua as "huar1") or an English syllable
    in ARPAbet ("W AY1": tone1 where the stress is, tone0 elsewhere).
    Raises TextError(text_unreadable) for anything else.
    """
    if _ENGLISH.fullmatch(pinyin):
        tone = "tone1" if "1" in pinyin else "tone0"
        return tuple(phone.rstrip("012").lower() for phone in pinyin.split()), tone
    match = _PINYIN.fullmatch(pinyin.lower().replace("ü", "v").replace("u:", "v"))
    phones = phones_by_syllable().get(spell(match[1])) if match else None
    if match is None or phones is None:
        raise TextError(
            "text_unreadable",
            f"{pinyin!r} is not a syllable; write pinyin with a tone digit from 1 to 5, like hao3",
        )
    return phones, f"tone{match[2]}"


def _syllable_flags(count: int) -> list[str]:
    if count == 1:
        return ["s_both"]
    return ["s_begin", *["s_middle"] * (count - 2), "s_end"]


def _word_segments(count: int) -> list[str]:
    if count == 1:
        return ["word_both"]
    return ["word_begin", *["word_middle"] * (count - 2), "word_end"]


def _word_symbols(syllables: Sequence[Syllable]) -> list[str]:
    rows: list[tuple[str, str, str]] = []
    for syllable in syllables:
        phones, tone = syllable_phones(syllable.pinyin)
        flags = _syllable_flags(len(phones))
        rows += [(phone, tone, flag) for phone, flag in zip(phones, flags, strict=True)]
    segments = _word_segments(len(rows))
    return ["$".join((*row, segment)) for row, segment in zip(rows, segments, strict=True)]


def symbols(
    sentence: Sentence | Sequence[Word],
    *,
    emotion: str = "emotion_neutral",
    speaker: str = "F7",
    break_emotion: str = "emotion_none",
) -> list[str]:
    """The KAN-TTS symbols of a sentence (or of its words), the last break forced to #4.

    Breaks carry `break_emotion`: emotion_none as ttsfrd writes it (KAN-TTS's own converter of
    training scripts gives them the emotion of the sentence instead).
    Raises TextError(text_unreadable) for a syllable KAN-TTS has no phones for.
    """
    words = sentence.words if isinstance(sentence, Sentence) else sentence
    result: list[str] = []
    for index, word in enumerate(words):
        level = 4 if index == len(words) - 1 else word.break_after
        spoken = _word_symbols(word.syllables)
        result += [f"{{{symbol}${emotion}${speaker}}}" for symbol in spoken]
        result.append(f"{{#{level}$tone_none$s_none$word_none${break_emotion}${speaker}}}")
    return result


def symbol_spans(words: Sequence[Word]) -> list[tuple[int, int]]:
    """The span of each symbol of `symbols(words)` in the user's own text; a break's is empty."""
    result: list[tuple[int, int]] = []
    for word in words:
        for syllable in word.syllables:
            result += [syllable.span] * len(syllable_phones(syllable.pinyin)[0])
        result.append((word.span[1], word.span[1]))
    return result


def read_phones(path: Path) -> tuple[str, ...]:
    """Phone names of a PhoneSet.xml in file order; raises VoiceError(voice_broken)."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, LookupError, ValueError, ElementTree.ParseError) as error:  # encodings too
        raise VoiceError("voice_broken", f"cannot read the phones in {path}: {error}") from error
    names = tuple((node.text or "").strip() for node in root.iterfind("{*}phone/{*}name"))
    if not all(names) or not names or len(set(names)) != len(names):
        raise VoiceError(
            "voice_broken", f"{path} names no phones, or one twice; take the file from the voice"
        )
    return names


def read_tones(path: Path) -> tuple[str, ...]:
    """Tone names of a tonelist.txt in file order (a blank line is tone_none)."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise VoiceError("voice_broken", f"cannot read the tones in {path}: {error}") from error
    tones = tuple(f"tone{line.strip()}" if line.strip() else "tone_none" for line in lines)
    if not tones or len(set(tones)) != len(tones):
        raise VoiceError("voice_broken", f"{path} lists no tones, or one twice; use the voice's")
    return tones


@dataclass(frozen=True)
class SymbolTable:
    """Ids of the symbols of one voice.

    phones and tones are the voice's own, without #1-#4, padding and mask, which are added here.
    """

    phones: tuple[str, ...]
    tones: tuple[str, ...]
    speakers: tuple[str, ...] = ("F7",)
    emotions: tuple[str, ...] = EMOTIONS
    mask: bool = True

    def __post_init__(self) -> None:
        columns = (
            (*self.phones, *BREAKS),
            self.tones,
            SYLLABLE_FLAGS,
            WORD_SEGMENTS,
            self.emotions,
            self.speakers,
        )
        ids = tuple({name: index for index, name in enumerate(names)} for names in columns)
        object.__setattr__(self, "_ids", ids)

    _ids: tuple[dict[str, int], ...] = ()

    @classmethod
    def default(
        cls, speakers: Sequence[str] = ("F7",), emotions: Sequence[str] = EMOTIONS
    ) -> SymbolTable:
        """The table of KAN-TTS's public Mandarin set-up (147 phone ids, 10 tone ids)."""
        return cls.from_files(
            DATA / "PhoneSet.xml", DATA / "tonelist.txt", speakers=speakers, emotions=emotions
        )

    @classmethod
    def from_files(
        cls,
        phone_set: Path,
        tone_list: Path,
        *,
        speakers: Sequence[str],
        emotions: Sequence[str] = EMOTIONS,
        mask: bool = True,
    ) -> SymbolTable:
        """The table of a voice's own PhoneSet.xml and tonelist.txt.

        mask: whether the voice has the [MASK] entry (older model cards say `has_mask: False`).
        Raises VoiceError(voice_broken).
        """
        return cls(
            read_phones(phone_set), read_tones(tone_list), tuple(speakers), tuple(emotions), mask
        )

    @property
    def sizes(self) -> tuple[int, int, int, int, int, int]:
        """Number of ids in each column, padding and mask included, as the embeddings count them."""
        extra = len(PADDING) + self.mask
        sy, tone, flag, segment, emotion, speaker = (len(ids) + extra for ids in self._ids)
        return sy, tone, flag, segment, emotion, speaker

    def encode(self, symbols: Sequence[str]) -> npt.NDArray[np.int64]:
        """Ids (T, 6): phone, tone, syllable flag, word segment, emotion, speaker.

        KAN-TTS appends a `~` to each column and its inference drops it again; it is not here.
        Raises StyleError for a speaker or emotion the voice lacks, VoiceError(voice_unsupported)
        for a phone or tone it lacks.
        """
        result = np.empty((len(symbols), len(_FIELDS)), dtype=np.int64)
        for row, symbol in enumerate(symbols):
            names = symbol.removeprefix("{").removesuffix("}").split("$")
            if len(names) != len(_FIELDS):
                raise ValueError(f"{symbol!r} is not a symbol of six fields")
            for column, name in enumerate(names):
                index = self._ids[column].get(name)
                if index is None:
                    raise self._missing(column, name)
                result[row, column] = index
        return result

    def _missing(self, column: int, name: str) -> StyleError | VoiceError:
        if column == 5:
            have = ", ".join(self.speakers)
            return StyleError("unknown_speaker", f"no speaker {name!r}; this voice has: {have}")
        if column == 4:
            have = ", ".join(emotion.removeprefix("emotion_") for emotion in self.emotions)
            wish = name.removeprefix("emotion_")
            return StyleError("unknown_emotion", f"no emotion {wish!r}; this voice has: {have}")
        return VoiceError(
            "voice_unsupported",
            f"this voice has no {_FIELDS[column]} {name!r}; use a voice made for this language",
        )
