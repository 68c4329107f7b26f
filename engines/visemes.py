"""The shapes of the mouth for what is said, phone by phone.

The 15 names are those of Oculus LipSync, which avatars and robot faces carry as blend shapes; they
stand for the visemes of MPEG-4 facial animation (ISO/IEC 14496-2). The tables are this project's.
"""

from __future__ import annotations

from functools import cache
from typing import Final

VISEMES: Final = (
    *("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR"),
    *("aa", "E", "ih", "oh", "ou"),
)
REST: Final = "sil"

_MANDARIN: Final = (
    "b PP, p PP, m PP, f FF, d DD, t DD, n nn, l nn, g kk, k kk, h kk, j CH, q CH, xx CH, zh CH, "
    "ch CH, sh CH, r RR, z SS, c SS, s SS, w ou, y ih, "
    "a aa, ai aa ih, an aa nn, ang aa, ao aa ou, e E, ei E ih, en E nn, eng E, er E RR, "
    "i ih, ih ih, ii ih, ia ih aa, ian ih E nn, iang ih aa, iao ih aa ou, ie ih E, in ih nn, "
    "ing ih, io ih oh, iong ih ou, iou ih ou, o oh, ong ou, ou oh ou, u ou, ua ou aa, "
    "uai ou aa ih, uan ou aa nn, uang ou aa, uei ou E ih, uen ou E nn, ueng ou E, uo ou oh, "
    "v ou, van ou E nn, ve ou E, vn ou nn"
)
_OTHERS: Final = (  # a syllable that begins with a vowel, English, a pause
    "ga aa, ge E, go oh, pau sil, "
    "aa aa, ae aa, ah aa, ao oh, aw aa ou, ay aa ih, b PP, ch CH, d DD, dh TH, eh E, er E RR, "
    "ey E ih, f FF, g kk, hh kk, ih ih, iy ih, jh CH, k kk, l nn, m PP, n nn, ng kk, ow oh ou, "
    "oy oh ih, p PP, r RR, s SS, sh CH, t DD, th TH, uh ou, uw ou, v FF, w ou, y ih, z SS, zh CH"
)


def shapes(phone: str) -> tuple[str, ...]:
    """The visemes of a KAN-TTS phone ("iao_c", "ay"), one after the other: ih, aa, ou.

    A final with an r of its own ("iaor_c") ends in RR. A phone nobody knows leaves the mouth at
    rest.
    """
    known = _table()
    if phone in known:
        return known[phone]
    plain = known.get(phone.removesuffix("r_c") + "_c")
    return (*plain, "RR") if plain and phone.endswith("r_c") else (REST,)


@cache
def _table() -> dict[str, tuple[str, ...]]:
    mandarin, others = _rows(_MANDARIN), _rows(_OTHERS)
    return {f"{phone}_c": said for phone, said in mandarin.items()} | others


def _rows(text: str) -> dict[str, tuple[str, ...]]:
    rows = (row.split() for row in text.split(","))
    return {row[0]: tuple(row[1:]) for row in rows}
