"""What a voice trained on Mandarin words says for symbols its recordings lack.

A word list holds no English and next to no erhua, so the embeddings of those phones are untrained
noise. Each such phone gets the nearest one that was heard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from engines.text.nearest import TONES, nearest_phones
from engines.text.symbols import syllable_phones

ENOUGH = 10  # recorded tokens that train a phone


def fallback(phones: Iterable[str], words: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """Symbol to say instead, for every phone of `phones` (and tone) that `words` do not train.

    words: the syllables of each training word. A phone with nothing near it is left as it is.
    """
    heard: Counter[str] = Counter()
    for syllables in words:
        for syllable in syllables:
            heard.update(syllable_phones(syllable)[0])
    phones = tuple(phones)
    nearest = nearest_phones(phones)
    table = dict(TONES)
    for phone in phones:
        substitute = nearest.get(phone)
        if heard[phone] < ENOUGH and substitute is not None and heard[substitute] > heard[phone]:
            table[phone] = substitute
    return table
