"""docs/RESULTS.md, from the figures of one run of `benchmarks.report`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HEAD = """\
# Results

Written by `make report`, which measured all of it in one run: {machine}.
Sides ran in turn, a process each; ratios are to PyTorch of the same turn, medians of all turns.
Text: the ten sentences of `benchmarks/sentences.py`, about 31 s of speech. *small* is the built-in
voice; *full* has the sizes of KAN-TTS's public 16 kHz models and random weights: it tells time and
memory, but speaks noise, which the audio gate cannot judge, so its layers are those that may be on
8 bits in any voice, as the built-in voice's are. Figures:
[report.json](../benchmarks/results/report.json).

![Size, memory, time and first audio beside PyTorch](../benchmarks/results/report.png)
"""
PROMISE = (
    "| *the first promise* | -73.5 % (27 %) | -56.2 % (44 %) | 4x | - | MOS -0.2 |",
    "| *wanted at full size* | 27 % | 44 % | 8x | - | - |",
)
NAMES = {"small": "The built-in voice", "full": "Full size"}
SHOWN = {
    "pesq": "PESQ-WB",
    "mcd_db": "MCD dB",
    "stoi": "STOI",
    "log_mel_db": "log-mel dB",
}


def page(facts: Mapping[str, Any], voices: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    versions = ", ".join(f"{k} {facts[k]}" for k in ("onnxruntime", "torch", "python"))
    machine = f"{facts['processor']}, {facts['cores']} cores, {versions}, {facts['date']}"
    parts = [HEAD.format(machine=machine)]
    parts += [_voice(kind, result) for kind, result in voices.items()]
    return "\n".join(parts)


def _voice(kind: str, result: Mapping[str, Any]) -> str:
    lines = [
        f"## {NAMES.get(kind, kind)}",
        "",
        "| | model | peak memory | time to speak | first audio | quality against FP32 |",
        "|---|---|---|---|---|---|",
        *(_row(side, row, result) for side, row in result["rows"].items()),
        *PROMISE,
        "",
        f"Engines that won: {_engines(result['built']['engines'])}.",
        "",
    ]
    return "\n".join(lines)


def _row(side: str, row: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    f, r = row["figures"], row["ratios"]
    quality = _quality(result["built"]["quality"]) if side.startswith("built") else "the reference"
    cells = [
        side,
        f"{f['model_bytes'] / 1e6:.1f} MB ({100 * r['model_bytes']:.1f} %)",
        f"{f['rss_mb']:.0f} MB ({100 * r['rss_mb']:.0f} %)",
        f"{f['total_s']:.2f} s, RTF {f['rtf']:.3f} (**{1 / r['total_s']:.1f}x**)",
        f"{f['first_ms']:.0f} ms ({1 / r['first_ms']:.0f}x)",
        quality,
    ]
    return f"| {' | '.join(cells)} |"


def _quality(figures: Mapping[str, float]) -> str:
    shown = [f"{SHOWN[key]} {figures[key]:.2f}" for key in SHOWN if key in figures]
    return ", ".join(shown) or "noise, not judged"


def _engines(won: Mapping[str, str]) -> str:
    return ", ".join(f"{graph} {what}" for graph, what in won.items())
