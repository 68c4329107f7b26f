"""What a voice says for phones that our front end writes and it was not trained on."""

from __future__ import annotations

from engines.text.nearest import TONES, nearest_phones
from engines.text.symbols import DATA, read_phones
from trt_build.importing.tables import Tables

UNWRITTEN = {"pau"}  # a phone of KAN-TTS that no text gets


def fallback(tables: Tables) -> dict[str, str]:
    """The voice's nearest symbol for each that our front end writes and it lacks."""
    ours = read_phones(DATA / "PhoneSet.xml")
    nearest = nearest_phones(ours)
    table = {phone: nearest.get(phone, "") for phone in ours if phone not in tables.phones}
    table = {phone: other for phone, other in table.items() if other in tables.phones}
    tones = {t: other for t, other in TONES.items() if t not in tables.tones}
    return table | {t: other for t, other in tones.items() if other in tables.tones}


def unspoken(tables: Tables, substitutes: dict[str, str]) -> list[str]:
    notes = []
    phones = [name for name in substitutes if name not in TONES]
    if phones:
        notes.append(
            f"the voice lacks {len(phones)} phones of the front end, the nearest ones are said "
            f"instead: {', '.join(f'{a} as {substitutes[a]}' for a in phones[:8])}"
            + (" ..." if len(phones) > 8 else "")
        )
    ours = set(read_phones(DATA / "PhoneSet.xml")) - UNWRITTEN
    silent = sorted(ours - set(tables.phones) - set(substitutes))
    if silent:
        notes.append(
            f"texts with these phones are refused, as nothing is near: {', '.join(silent)}"
        )
    return notes
