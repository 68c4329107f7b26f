"""How good a voice is: `python -m benchmarks.quality --corpus RUN/corpus --voice voices/NAME`.

Speaks the words that no training stage has seen and compares them with their recordings: text to
speech, and copy-synthesis (the vocoder alone, fed with the recording's own mel and f0).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.measures import DEFINITION, Comparison, analyse, compare, summary
from benchmarks.quality_voices import CheckpointSpeaker, PackSpeaker, Speaker
from engines.errors import EngineError
from training.corpus import Corpus, Entry
from training.errors import TrainingError
from training.features import Floats, mel_spectrogram, pitch
from training.pictures import Panel, draw

WORST = 10
PICTURED = 5


@dataclass(frozen=True, slots=True)
class Spoken:
    """One held-out word, as the voice says it and as the vocoder copies it."""

    entry: Entry
    said: Floats
    speech: Comparison
    copy: Comparison


def measure(corpus: Corpus, speaker: Speaker, limit: int | None = None) -> list[Spoken]:
    """Every held-out word, or the first `limit`."""
    out = []
    for entry in tqdm(corpus.held_out[:limit], desc="words", unit="word", mininterval=2):
        recording = analyse(corpus.wave_of(entry))
        said = speaker.say(entry.text)
        copied = speaker.copy(corpus.mel_of(entry), corpus.f0_of(entry))
        out.append(
            Spoken(
                entry,
                said,
                compare(recording, analyse(said)),
                compare(recording, analyse(copied)),
            )
        )
    return out


def report(speaker: Speaker, words: list[Spoken]) -> dict[str, Any]:
    """Everything measured, ready for JSON."""
    return {
        "voice": speaker.name,
        "definition": DEFINITION,
        "words": len(words),
        "text_to_speech": summary([w.speech for w in words]),
        "copy_synthesis": summary([w.copy for w in words]),
        "each": [
            {
                "text": w.entry.text,
                "pinyin": " ".join(w.entry.syllables),
                "mcd_db": w.speech.mcd,
                "copy_mcd_db": w.copy.mcd,
                "f0_correlation": w.speech.f0_correlation,
                "f0_rmse_cents": w.speech.f0_rmse,
                "voicing_error": w.speech.voicing_error,
                "length_ratio": w.speech.length,
            }
            for w in words
        ],
    }


def show(figures: dict[str, Any]) -> str:
    """The report for people."""
    speech, copy = figures["text_to_speech"], figures["copy_synthesis"]
    lines = [
        f"{figures['voice']}: {figures['words']} words never trained on",
        figures["definition"],
        "",
        f"{'':24}{'text to speech':>16}{'copy-synthesis':>16}",
    ]
    rows = (
        ("MCD, dB", "mcd_db", ".2f"),
        ("MCD, dB, 90th percentile", "mcd_db_p90", ".2f"),
        ("log f0 correlation", "f0_correlation", ".3f"),
        ("f0 RMSE, cents", "f0_rmse_cents", ".0f"),
        ("voicing error", "voicing_error", ".1%"),
        ("length / recording", "length_ratio", ".2f"),
    )
    lines += [f"{title:24}{speech[key]:>16{f}}{copy[key]:>16{f}}" for title, key, f in rows]
    for title, key, sign in (("MCD", "mcd_db", -1.0), ("f0 correlation", "f0_correlation", 1.0)):
        known = [w for w in figures["each"] if w[key] == w[key]]
        worst = sorted(known, key=lambda w: sign * w[key])[:WORST]
        told = ", ".join(f"{w['text']} ({w['pinyin']}) {w[key]:.2f}" for w in worst)
        lines += ["", f"worst {title}: {told}"]
    return "\n".join(lines)


def plot(corpus: Corpus, words: list[Spoken], path: Path) -> None:
    """A few words evenly spread: the recording above, the voice below."""
    columns = []
    for word in words[:: max(1, len(words) // PICTURED)][:PICTURED]:
        recorded = corpus.wave_of(word.entry)
        title = " ".join(word.entry.syllables)
        columns.append(
            [
                Panel(f"{title}: recording", mel_spectrogram(recorded), pitch(recorded)),
                Panel(f"{title}: synthesis", mel_spectrogram(word.said), pitch(word.said)),
            ]
        )
    draw(columns, path)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="RUN/corpus of the training")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--voice", type=Path, help="a voice pack")
    what.add_argument("--checkpoints", type=Path, metavar="RUN", help="a training in progress")
    parser.add_argument("--preset", default="small", help="of --checkpoints (default: small)")
    parser.add_argument("--limit", type=int, help="only the first so many words")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--plot", type=Path, help="write a picture of some words here (PNG)")
    args = parser.parse_args(argv)
    try:
        corpus = Corpus(args.corpus)
        speaker: Speaker = (
            PackSpeaker(args.voice)
            if args.voice
            else CheckpointSpeaker(args.checkpoints, args.preset, corpus.stats)
        )
        words = measure(corpus, speaker, args.limit)
    except (TrainingError, EngineError) as error:
        print(f"{error} [{error.code}]", file=sys.stderr)
        return 1
    figures = report(speaker, words)
    print(show(figures))
    if args.json:
        args.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1), "utf-8")
    if args.plot:
        plot(corpus, words, args.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
