"""The nearest Mandarin sound of phones that a voice may lack: English, erhua, rare finals."""

from __future__ import annotations

from collections.abc import Iterable

_ENGLISH = (
    "aa:a_c ae:ai_c ah:e_c ao:o_c aw:ao_c ay:ai_c b:b_c ch:ch_c d:d_c dh:z_c eh:ei_c er:er_c "
    "ey:ei_c f:f_c g:g_c hh:h_c ih:i_c iy:i_c jh:zh_c k:k_c l:l_c m:m_c n:n_c ng:eng_c ow:ou_c "
    "oy:o_c p:p_c r:r_c s:s_c sh:sh_c t:t_c th:s_c uh:u_c uw:u_c v:w_c w:w_c y:y_c z:z_c zh:r_c"
)
_RARE = "ga:h_c ge:h_c go:h_c io_c:iou_c ueng_c:eng_c"
_AS_ER = ("air_c", "anr_c", "ar_c", "eir_c", "enr_c", "ihr_c", "iir_c")
TONES = {"tone0": "tone5"}  # of unstressed English syllables


def nearest_phones(phones: Iterable[str]) -> dict[str, str]:
    """What to say for phones a voice lacks: English as a Mandarin speaker says it, rhotic finals as
    plain er where only the rhotic vowel is heard, else without the r.

    phones: of which rhotic finals are looked up; a phone with nothing near it is not in the result.
    """
    nearest = dict(pair.split(":") for pair in f"{_ENGLISH} {_RARE}".split())
    for phone in phones:
        if phone.endswith("r_c") and phone not in ("r_c", "er_c"):
            nearest[phone] = "er_c" if phone in _AS_ER else phone.removesuffix("r_c") + "_c"
    return nearest
