"""Stage 1: recordings -> corpus (audio, mel, f0, syllables)."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import soundfile
from tqdm import tqdm

from engines.errors import TextError
from training import audio, features
from training.corpus import INDEX, CorpusWriter, recordings
from training.errors import TrainingError
from training.features import Floats
from training.script import Reader

log = logging.getLogger(__name__)
SHORTEST_S = 0.15


def prepare(data: Path, out: Path, limit: int | None = None) -> None:
    """Decode and analyse every recording under `data` into the corpus folder `out`.

    Raises:
        TrainingError: data_not_found, or data_unreadable.
    """
    found = list(recordings(data))[:limit]
    if not found:
        raise TrainingError(
            "data_not_found",
            f"{data} holds no recordings named after the Chinese characters they say, such as "
            "你好.mp3; unpack a word list there, or name another folder with --data",
        )
    writer, reader = CorpusWriter(), Reader()
    skipped = 0
    for text, path in tqdm(found, desc="prepare", unit="word", mininterval=2):
        wave = _speech(path)
        if wave is None:
            skipped += 1
            continue
        try:
            syllables = reader.syllables(text)
        except TextError as error:
            log.warning("left out %s: %s", path, error)
            skipped += 1
            continue
        mel = features.mel_spectrogram(wave)
        writer.add(text, syllables, wave, mel, features.pitch(wave))
    if skipped == len(found):
        raise TrainingError(
            "data_unreadable",
            f"none of the {skipped} recordings in {data} could be used; they must be MP3, WAV, "
            "FLAC or Ogg files of a word each, not empty and not broken",
        )
    writer.write(out)
    log.info("prepared %d words, left out %d", len(found) - skipped, skipped)


def _speech(path: Path) -> Floats | None:
    """The levelled speech of one recording, or nothing where it is broken or too short."""
    try:
        wave = audio.level(audio.trim(audio.load(path)))
    except soundfile.LibsndfileError as error:
        log.warning("left out %s: %s", path, error)
        return None
    if len(wave) < SHORTEST_S * features.SAMPLE_RATE:
        log.warning("left out %s: shorter than %.2f s", path, SHORTEST_S)
        return None
    return wave


def relabel(folder: Path) -> int:
    """Read the words of a prepared corpus again, as the front end reads them now.

    Audio and features stay as they are. Returns how many words changed; durations made from the
    old labels do not fit the new ones.
    """
    path = folder / INDEX
    index = json.loads(path.read_text("utf-8"))
    reader, changed = Reader(), 0
    for entry in index["entries"]:
        syllables = list(reader.syllables(entry["text"]))
        changed += syllables != entry["syllables"]
        entry["syllables"] = syllables
    part = path.with_suffix(".part")
    part.write_text(json.dumps(index, ensure_ascii=False, indent=1), "utf-8")
    part.replace(path)
    log.info("%d of %d words are read differently now", changed, len(index["entries"]))
    return changed
