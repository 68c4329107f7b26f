"""Where the acoustic model and the vocoder of a voice are, in ModelScope's and KAN-TTS's folders.

ModelScope: voices/NAME/{am,voc}, or all of that in voices.zip. KAN-TTS's training: one folder per
model under any name. Both are told by what their config.yaml says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trt_build.export.config import CONFIG, acoustic_params, entry, read_config
from trt_build.export.errors import ExportError
from trt_build.importing.archive import unpack

DEPTH = 6  # folders below the one named
KINDS = {"KanTtsSAMBERT": "am", "Generator": "voc", "KanTtsTextsyBERT": "sybert"}
RESOURCE = "resource.zip"
VOICES = "voices.json"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """One model: its folder, and the checkpoint where one was named (else the newest)."""

    folder: Path
    checkpoint: Path | None = None


@dataclass(frozen=True, slots=True)
class VoiceFolders:
    """One voice: an acoustic model and its vocoder, and the folder that holds both."""

    name: str
    root: Path
    am: ModelFolder
    voc: ModelFolder


@dataclass(frozen=True, slots=True)
class _Group:
    """The innermost folder with models of both kinds."""

    root: Path
    ams: tuple[Path, ...]
    vocs: tuple[Path, ...]


def folders_below(root: Path, depth: int = DEPTH) -> Iterator[Path]:
    """root and the folders below it in order, hidden ones and links left out."""
    for path, names, _ in os.walk(root):
        here = Path(path)
        deep = len(here.relative_to(root).parts) >= depth
        names[:] = [] if deep else sorted(n for n in names if not n.startswith("."))
        yield here


def named_model(path: Path) -> ModelFolder:
    """The model of a folder, or of a checkpoint in it or in its ckpt.

    Raises:
        ExportError: config_missing.
    """
    if path.is_dir():
        return ModelFolder(path)
    for folder in (path.parent, path.parent.parent):
        if (folder / CONFIG).is_file():
            return ModelFolder(folder, path)
    raise ExportError(
        "config_missing",
        f"{path} is no model folder, and neither its folder nor the one above holds a {CONFIG}; "
        "put the one it was trained with there",
    )


def find_voice(model_dir: Path, scratch: Path, name: str | None) -> VoiceFolders:
    """The one voice of a folder or zip file, or the one of that name; zips are unpacked to scratch.

    Raises:
        ExportError: voice_missing, voice_ambiguous, voice_unknown, config_unreadable, sybert,
            archive_unreadable, archive_unsafe.
    """
    if not model_dir.exists():
        raise ExportError("voice_missing", f"there is no {model_dir}; name the folder of a voice")
    groups, kinds = ([], {}) if model_dir.is_file() else _search(model_dir)
    if not groups:
        for archive in _archives(model_dir):
            into = scratch / archive.stem
            unpack(archive, into)
            more, found = _search(into)
            groups += more
            kinds.update(found)
    if not groups:
        raise _missing(model_dir, kinds)
    return _only(_chosen(groups, model_dir, name), name or "")


def _archives(model_dir: Path) -> list[Path]:
    if model_dir.is_file():
        return [model_dir]
    return sorted(p for p in model_dir.glob("*.zip") if p.name != RESOURCE)


def _search(root: Path) -> tuple[list[_Group], dict[Path, str]]:
    """The voices below a folder, and what kind of model each folder holds."""
    kinds: dict[Path, str] = {}
    for folder in folders_below(root):
        if (folder / CONFIG).is_file():
            config = read_config(folder)
            kind = next((k for name, k in KINDS.items() if entry(config, "Model", name)), None)
            if kind:
                kinds[folder] = kind
    groups: list[_Group] = []
    holders = {p for f in kinds for p in (f, *f.parents) if p == root or root in p.parents}
    for holder in sorted(holders, key=lambda p: (-len(p.parts), p)):
        inside = [f for f in kinds if f == holder or holder in f.parents]
        ams = tuple(f for f in inside if kinds[f] == "am")
        vocs = tuple(f for f in inside if kinds[f] == "voc")
        if ams and vocs and not any(holder in group.root.parents for group in groups):
            groups.append(_Group(holder, ams, vocs))
    return sorted(groups, key=lambda group: group.root), kinds


def _missing(model_dir: Path, kinds: dict[Path, str]) -> ExportError:
    sybert = next((f for f, kind in kinds.items() if kind == "sybert"), None)
    have = set(kinds.values())
    if sybert and "am" not in have:
        try:
            acoustic_params(sybert)
        except ExportError as error:
            return error
    lacks = {"am": "no vocoder", "voc": "no acoustic model"}
    what = lacks[have.pop()] if len(have) == 1 and have <= set(lacks) else "no model"
    return ExportError(
        "voice_missing",
        f"{model_dir} holds {what}: searched {DEPTH} folders deep, and its zip files, for "
        f"{CONFIG} with Model.KanTtsSAMBERT (am) and Model.Generator (voc). Name both with --am "
        "and --voc; where the files were cloned, run `git lfs pull`",
    )


def _chosen(groups: Sequence[_Group], model_dir: Path, name: str | None) -> _Group:
    have = ", ".join(group.root.name for group in groups)
    if name is None:
        listed = [group for group in groups if _listed(group)] or groups
        if len(listed) == 1:
            return listed[0]
        raise ExportError(
            "voice_ambiguous",
            f"{model_dir} holds {len(groups)} voices: {have}; choose one with --voice NAME",
        )
    for group in groups:
        if group.root.name == name:
            return group
    raise ExportError("voice_unknown", f"{model_dir} has no voice {name!r}; --voice can be: {have}")


def _listed(group: _Group) -> bool:
    """Whether ModelScope's voices.json beside the voice, if there is one, names it."""
    path = group.root.parent / VOICES
    try:
        named = entry(json.loads(path.read_text("utf-8")), "voices")
    except (OSError, ValueError):
        return False
    return isinstance(named, list) and group.root.name in named


def _only(group: _Group, name: str) -> VoiceFolders:
    if len(group.ams) > 1 or len(group.vocs) > 1:
        lists = (", ".join(map(str, found)) for found in (group.ams, group.vocs))
        am, voc = lists
        raise ExportError(
            "voice_ambiguous",
            f"{group.root} holds several models; choose with --am and --voc. am: {am}. voc: {voc}",
        )
    return VoiceFolders(
        name or group.root.name, group.root, ModelFolder(group.ams[0]), ModelFolder(group.vocs[0])
    )
