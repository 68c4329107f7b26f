"""README.md of an imported pack: what it is, from what, and what was checked."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from trt_build.export.agreement import LIMIT
from trt_build.importing.origin import OriginFile
from trt_build.importing.summary import HEADER, Summary
from trt_build.table import markdown

_CARD = Template("""# $name

A voice of sambertd, imported from a KAN-TTS voice (SAMBERT and HiFi-GAN) with
`python -m trt_build import`.

## Licence

$licence. The import did not look into it: whoever uses or hands on this voice has to check the
licence of the checkpoints below, and of the recordings behind them, where they were published.

## From

$files

## Settings

$facts

$notes
## Graphs

$graphs

The last column is the worst absolute difference between the graph in ONNX Runtime and the PyTorch
model, both in FP32, over $sentences sentences of `calibration.txt`. Above $limit the import would
have been refused, unless PyTorch's own rounding explains it. `sample.wav` says: $sample
""")


def card(
    summary: Summary, licence: str, files: Sequence[OriginFile], sentences: int, sample: str
) -> str:
    """The text of README.md."""
    notes = "\n".join(f"- {note}" for note in summary.notes)
    return _CARD.substitute(
        name=_line(summary.name),
        licence=_line(licence),
        files=markdown(("file", "SHA-256"), [(f"`{f.name}`", f"`{f.sha256}`") for f in files]),
        facts=markdown(("setting", "value"), [(h, _cell(v)) for h, v in summary.facts.items()]),
        notes=f"{notes}\n" if notes else "",
        graphs=markdown(HEADER, summary.graphs),
        sentences=sentences,
        limit=f"{LIMIT:g}",
        sample=sample,
    )


def _line(text: str) -> str:
    """Text that starts no new line of the document."""
    return " ".join(text.split())


def _cell(text: str) -> str:
    """Text that does not end its cell."""
    return text.replace("|", "\\|")
