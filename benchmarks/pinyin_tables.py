"""Make engines/text/data/pinyin from the package pypinyin: readings of phrases and characters.

    python -m benchmarks.pinyin_tables

pypinyin itself takes a third of a second and 60 MB to load, so it is not needed at run time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from pypinyin.constants import PHRASES_DICT, PINYIN_DICT
from pypinyin.contrib.tone_convert import to_tone3

from engines.text.characters import HAN
from engines.text.pinyin_table import CHARACTERS, PHRASES


def phrases() -> Iterator[str]:
    """Lines of a phrase and a reading for each of its characters."""
    for phrase, readings in sorted(PHRASES_DICT.items()):
        if len(phrase) == len(readings) > 1:
            yield " ".join((phrase, *(tone3(first) for first, *_ in readings)))


def characters() -> Iterator[str]:
    """Lines of a reading and the characters whose first it is."""
    groups: dict[str, list[str]] = {}
    for code, readings in sorted(PINYIN_DICT.items()):
        if HAN.match(chr(code)) and readings:
            groups.setdefault(tone3(readings.split(",")[0]), []).append(chr(code))
    for reading, group in sorted(groups.items()):
        yield f"{reading} {''.join(group)}"


def tone3(reading: str) -> str:
    """A reading with its tone as a digit: "lǜ" -> "lv4"."""
    syllable: str = to_tone3(reading, v_to_u=False, neutral_tone_with_five=True)
    return syllable.replace("ü", "v")


def main() -> int:
    """Write both tables."""
    for path, lines in ((PHRASES, phrases()), (CHARACTERS, characters())):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
