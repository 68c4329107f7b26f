"""The two models of a voice, read and checked, with the symbols they understand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines.text.symbols import EMOTIONS, PADDING, SymbolTable
from trt_build.export.checkpoint import (
    left_out,
    load_generator,
    newest_checkpoint,
    read_checkpoint,
    sambert_of,
)
from trt_build.export.config import CONFIG, acoustic_params, entry, read_config
from trt_build.export.errors import ExportError
from trt_build.export.hifigan import Generator
from trt_build.export.offered import embed_speakers, offer_emotions, offer_speakers
from trt_build.export.sambert import Sambert
from trt_build.importing.layout import (
    ModelFolder,
    VoiceFolders,
    download_of,
    find_voice,
    named_model,
    outwards,
)
from trt_build.importing.phones import fallback, unspoken
from trt_build.importing.pitch import MEAN_STD, check_frames
from trt_build.importing.request import Request
from trt_build.importing.speakers import chosen_emotions, chosen_speakers, speaker_list
from trt_build.importing.tables import LANGUAGE, Tables, doubts, find_tables, fitting_tables
from trt_build.progress import Progress


@dataclass(slots=True)
class Models:
    """What was read, ready to be written.

    files: what the pack is made of. facts and notes: for the summary.
    """

    voice: VoiceFolders
    sambert: Sambert
    generator: Generator
    table: SymbolTable
    fallback: dict[str, str]
    files: dict[str, Path]
    facts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_models(request: Request, scratch: Path, progress: Progress) -> Models:
    """Find and read both models; scratch: a folder for what has to be unpacked.

    Raises:
        ExportError: any code of a model folder, of a model that is not known, of an import.
        VoiceError: voice_broken, a table of the voice cannot be read.
    """
    progress("looking for the voice")
    voice = _folders(request, scratch)
    am, voc = voice.am, voice.voc
    _check_language(am)
    params = acoustic_params(am.folder)
    listed = speaker_list(read_config(am.folder), am)
    paths = {"am": am.checkpoint or newest_checkpoint(am.folder)}
    paths["voc"] = voc.checkpoint or newest_checkpoint(voc.folder)
    progress(f"reading {paths['am']}")
    state = read_checkpoint(paths["am"], "model")
    sambert = sambert_of(am.folder, paths["am"], state)
    progress(f"reading {paths['voc']}")
    generator = load_generator(voc.folder, paths["voc"])
    check_frames(sambert, generator)
    folder = request.tables or find_tables(voice, scratch)
    tables = fitting_tables(folder, sambert.vocabulary)
    table = _narrowed(request, sambert, am, listed, tables)
    models = Models(voice, sambert, generator, table, fallback(tables), paths)
    models.facts |= {"symbol tables": tables.origin, "[MASK]": "yes" if tables.mask else "no"}
    models.facts["pitch"] = _pitch_kind(params, generator)
    models.notes += [f"left out: {part}" for part in left_out(state)]
    models.notes += [] if request.tables else doubts(tables, folder)
    models.notes += unspoken(tables, models.fallback)
    return models


def _folders(request: Request, scratch: Path) -> VoiceFolders:
    if request.am and request.voc:
        am, voc = named_model(request.am), named_model(request.voc)
        together = am.folder.parent == voc.folder.parent
        root = am.folder.parent if together else am.folder
        return VoiceFolders(outwards(root, download_of(root), {}), am, voc)
    if request.model_dir is None or request.am or request.voc:
        raise ExportError("voice_missing", "name MODEL_DIR, or both --am and --voc")
    return find_voice(request.model_dir, scratch, request.voice)


def _check_language(am: ModelFolder) -> None:
    language = entry(read_config(am.folder), "linguistic_unit", "language") or LANGUAGE
    if language != LANGUAGE:
        raise ExportError(
            "language_unknown",
            f"{am.folder / CONFIG} is of a voice that speaks {language}; the front end here reads "
            f"Mandarin ({LANGUAGE}). Import a Mandarin voice; this one needs a front end that "
            "writes its symbols",
        )


def _narrowed(
    request: Request, sambert: Sambert, am: ModelFolder, listed: tuple[str, ...], tables: Tables
) -> SymbolTable:
    """The symbol table of the speakers and emotions asked for, and the model's tables with it."""
    extra = len(PADDING) + tables.mask
    speakers = chosen_speakers(sambert, listed, am, request.speakers, tables.mask)
    if speakers.ids is not None:
        offer_speakers(sambert, speakers.ids, extra)
    elif speakers.embeddings is not None:
        embed_speakers(sambert, speakers.embeddings)
    emotions = chosen_emotions(request.emotions)
    offer_emotions(sambert, [EMOTIONS.index(name) for name in emotions], extra)
    return SymbolTable(tables.phones, tables.tones, speakers.names, emotions, tables.mask)


def _pitch_kind(params: dict[str, Any], generator: Generator) -> str:
    source = generator.config.source
    if source is None:
        return "in the mel alone, cannot be changed"
    kind = params.get("nsf_norm_type", MEAN_STD)
    return f"neural source filter, {source.harmonics} overtones, f0 normalised by {kind}"
