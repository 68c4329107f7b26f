"""Where the acoustic model and the vocoder of a voice are, in ModelScope's and KAN-TTS's folders.

ModelScope: voices/NAME/{am,voc}, or all of that in voices.zip. KAN-TTS's training: one folder per
model under any name. Both are told by what their config.yaml says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trt_build.export.config import CONFIG, acoustic_params, entry, read_config
from trt_build.export.errors import ExportError
from trt_build.importing.archive import Budget, unpack

DEPTH = 6  # folders below the one named
KINDS = {"KanTtsSAMBERT": "am", "Generator": "voc", "KanTtsTextsyBERT": "sybert"}
RESOURCE = "resource.zip"
CONFIGURATION = "configuration.json"
TABLES = ("PhoneSet.xml", "tonelist.txt")
DOWNLOAD_DEPTH = 3  # folders from a model up to the download it lies in
VOICES = "voices.json"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """One model: its folder, and the checkpoint where one was named (else the newest)."""

    folder: Path
    checkpoint: Path | None = None


@dataclass(frozen=True, slots=True)
class VoiceFolders:
    """One voice: an acoustic model and its vocoder.

    around: the folder that holds both, and those around it outwards as far as they came with it;
    tables and settings may lie in any.
    """

    around: tuple[Path, ...]
    am: ModelFolder
    voc: ModelFolder

    @property
    def root(self) -> Path:
        """The folder that holds both."""
        return self.around[0]

    @property
    def name(self) -> str:
        """What ModelScope calls it."""
        return self.root.name


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
    path = path.resolve()
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
    home, budget = model_dir.resolve(), Budget()
    if home.is_file():
        home = scratch / home.stem
        unpack(model_dir, home, of_a_voice, budget)
    origins: dict[Path, Path] = {}  # of what is unpacked
    groups, kinds = _search(home)
    if not groups:
        for number, archive in enumerate(archives(home)):
            into = scratch / f"{number}-{archive.stem}"
            origins[into] = archive.parent
            unpack(archive, into, of_a_voice, budget)
        groups, unpacked = _search(*origins)
        kinds |= unpacked
    if not groups:
        raise _missing(model_dir, kinds)
    am, voc = _only(group := _chosen(groups, model_dir, name))
    return VoiceFolders(outwards(group.root, download_of(home), origins), am, voc)


def of_a_voice(member: str) -> bool:
    """Whether an import has a use for a file of an archive."""
    of_use = member.endswith((".yaml", ".pth", ".npy", ".json", ".zip", *TABLES))
    return of_use and member.isprintable()


def archives(home: Path) -> list[Path]:
    """Zip files in a folder, or in a folder of it."""
    return sorted(p for p in (*home.glob("*.zip"), *home.glob("*/*.zip")) if p.name != RESOURCE)


def outwards(folder: Path, home: Path, origins: Mapping[Path, Path]) -> tuple[Path, ...]:
    """A folder and those around it up to `home`; what was unpacked lies where its archive does."""
    out = [folder]
    while out[-1] not in (home, Path("/")):
        out.append(origins.get(out[-1], out[-1].parent))
    return tuple(out)


def download_of(folder: Path) -> Path:
    """The ModelScope download that a folder lies in, if it does, else the folder."""
    for parent in (folder, *folder.parents[:DOWNLOAD_DEPTH]):
        if any((parent / name).exists() for name in (RESOURCE, CONFIGURATION, "resource")):
            return parent
    return folder


def _search(*roots: Path) -> tuple[list[_Group], dict[Path, str]]:
    """The voices below some folders, and what kind of model each folder holds."""
    groups: list[_Group] = []
    kinds: dict[Path, str] = {}
    for root in roots:
        found = _kinds(root)
        kinds.update(found)
        groups += _groups(root, found)
    return groups, kinds


def _kinds(root: Path) -> dict[Path, str]:
    kinds: dict[Path, str] = {}
    for folder in folders_below(root):
        if (folder / CONFIG).is_file():
            config = read_config(folder)
            kind = next((k for name, k in KINDS.items() if entry(config, "Model", name)), None)
            if kind:
                kinds[folder] = kind
    return kinds


def _groups(root: Path, kinds: dict[Path, str]) -> list[_Group]:
    groups: list[_Group] = []
    holders = {p for f in kinds for p in (f, *f.parents) if p == root or root in p.parents}
    for holder in sorted(holders, key=lambda p: (-len(p.parts), p)):
        inside = [f for f in kinds if f == holder or holder in f.parents]
        ams = tuple(f for f in inside if kinds[f] == "am")
        vocs = tuple(f for f in inside if kinds[f] == "voc")
        if ams and vocs and not any(holder in group.root.parents for group in groups):
            groups.append(_Group(holder, ams, vocs))
    return sorted(groups, key=lambda group: group.root)


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
    except (OSError, RecursionError, ValueError):
        return False
    return isinstance(named, list) and group.root.name in named


def _only(group: _Group) -> tuple[ModelFolder, ModelFolder]:
    if len(group.ams) > 1 or len(group.vocs) > 1:
        lists = (", ".join(map(str, found)) for found in (group.ams, group.vocs))
        am, voc = lists
        raise ExportError(
            "voice_ambiguous",
            f"{group.root} holds several models; choose with --am and --voc. am: {am}. voc: {voc}",
        )
    return ModelFolder(group.ams[0]), ModelFolder(group.vocs[0])
