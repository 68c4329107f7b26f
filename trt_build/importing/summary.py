"""What was made of a voice, as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engines.pack import VoiceFile, VoicePack
from engines.style import emotions
from trt_build.graph_file import read_graphs
from trt_build.graph_table import graph_row
from trt_build.profiles import voice_dimensions
from trt_build.table import Row, plain

HEADER = ("graph", "nodes", "parameters", "bytes", "worst difference")


@dataclass(frozen=True, slots=True)
class Summary:
    """facts: what the voice is, by heading. notes: what to know of this import.

    graphs: one row each, as HEADER has them, with the worst difference from the PyTorch model.
    """

    name: str
    facts: Mapping[str, str]
    graphs: tuple[Row, ...]
    notes: tuple[str, ...]

    def text(self) -> str:
        """The tables, as they are printed."""
        width = max(map(len, self.facts))
        lines = [f"{heading:<{width}}  {value}" for heading, value in self.facts.items()]
        lines += ["", plain(HEADER, self.graphs), ""]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines).rstrip() + "\n"


def summary(
    folder: Path, facts: Mapping[str, str], notes: Iterable[str], worst: Mapping[str, float]
) -> Summary:
    """The summary of a finished pack; facts: what the pack itself does not say."""
    pack = VoicePack(folder)
    dimensions = voice_dimensions(pack.file)
    rows = [graph_row(model, dimensions[name]) for name, model in read_graphs(pack).items()]
    graphs = tuple((r.name, r.nodes, r.parameters, r.size, f"{worst[r.name]:.1e}") for r in rows)
    return Summary(pack.file.name, {**_facts(pack.file), **facts}, graphs, tuple(notes))


def _facts(file: VoiceFile) -> dict[str, str]:
    band, window = file.acoustic.band, file.acoustic.window
    causal = file.vocoder.context == 0
    return {
        "voice": file.name,
        "language": file.language,
        "licence": file.licence,
        "sample rate": f"{file.sample_rate} Hz",
        "hop": f"{file.hop_length} samples ({1000 * file.hop_length / file.sample_rate:g} ms)",
        "mel bins": str(file.acoustic.mels - (2 if file.source else 0)),
        "speakers": ", ".join(file.symbols.speakers),
        "emotions": ", ".join(emotions(file)),
        "vocoder": "causal" if causal else f"not causal, {file.vocoder.context} frames ahead",
        "window": f"{window} decoder steps"
        + (f", band fixed at {band}" if band else ", wider where a sentence needs it"),
    }
