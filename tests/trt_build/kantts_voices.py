"""The tiny KAN-TTS models of tests/data, laid out as ModelScope and KAN-TTS lay voices out."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from engines.text.symbols import DATA

KANTTS = Path(__file__).parents[1] / "data" / "kantts"
TABLES = ("PhoneSet.xml", "tonelist.txt")
EMBEDDINGS = (
    "text_encoder.sy_emb.weight",
    "text_encoder.tone_emb.weight",
    "text_encoder.syllable_flag_emb.weight",
    "text_encoder.ws_emb.weight",
    "emo_tokenizer.weight",
    "spk_tokenizer.weight",
)


def model(name: str, folder: Path) -> Path:
    """A copy of one model; the tensors it was checked with stay behind."""
    return Path(
        shutil.copytree(KANTTS / name, folder, ignore=shutil.ignore_patterns("expected.npz"))
    )


def modelscope(
    root: Path, *voices: str, am: str = "sambert_16k", voc: str = "hifigan_v1_16k"
) -> Path:
    """root/voices/NAME/{am,voc} and voices.json."""
    for voice in voices:
        model(am, root / "voices" / voice / "am")
        model(voc, root / "voices" / voice / "voc")
    (root / "voices" / "voices.json").write_text(json.dumps({"voices": voices}), "utf-8")
    return root


def tables(folder: Path) -> Path:
    """KAN-TTS's own PhoneSet.xml and tonelist.txt in a folder."""
    folder.mkdir(parents=True)
    for name in TABLES:
        shutil.copy(DATA / name, folder / name)
    return folder


def zipped(folder: Path) -> Path:
    """folder.zip in the place of folder, as ModelScope publishes voices and resource."""
    shutil.make_archive(str(folder), "zip", folder.parent, folder.name)
    shutil.rmtree(folder)
    return folder.with_name(folder.name + ".zip")


def write_zip(path: Path, members: dict[str | zipfile.ZipInfo, bytes]) -> Path:
    """A zip file of exactly these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def change_config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Edit a config.yaml in place."""
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text("utf-8"))
    change(config)
    path.write_text(yaml.safe_dump(config), "utf-8")


def change_params(folder: Path, **changes: Any) -> None:
    """Change the parameters of the one model in a config.yaml."""

    def change(config: dict[str, Any]) -> None:
        (part,) = config["Model"].values()
        part["params"].update(changes)

    change_config(folder, change)


def change_state(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    """Edit the tensors of a checkpoint in place."""
    path = folder / "ckpt" / "checkpoint_0.pth"
    checkpoint = torch.load(path, weights_only=True)
    state = checkpoint["model"]
    change(state.get("generator", state))
    torch.save(checkpoint, path)
    return path


def without_mask(am: Path) -> Path:
    """Without the row of [MASK] in every table, as ModelScope's public checkpoints are."""

    def cut(state: dict[str, Tensor]) -> None:
        for name in EMBEDDINGS:
            if name in state:
                state[name] = state[name][:-1].clone()

    change_state(am, cut)
    return am


def without_phones(am: Path, folder: Path, gone: Callable[[str], bool]) -> None:
    """Without some phones, in a folder's PhoneSet.xml and in the embeddings."""
    kept: list[int] = []
    text, names = (folder / "PhoneSet.xml").read_text("utf-8"), []
    head, *blocks = text.split("<phone>")
    last, tail = blocks[-1].split("</phone>")
    blocks[-1] = last + "</phone>"
    out = [head]
    for i, block in enumerate(blocks):
        name = block.split("<name>")[1].split("</name>")[0].strip()
        names.append(name)
        if not gone(name):
            kept.append(i)
            out.append("<phone>" + block)
    (folder / "PhoneSet.xml").write_text("".join(out) + tail, "utf-8")

    def cut(state: dict[str, Tensor]) -> None:
        name = EMBEDDINGS[0]
        rows = [*kept, *range(len(names), len(state[name]))]
        state[name] = state[name][rows].clone()

    change_state(am, cut)


def speaker_embedding(path: Path) -> Path:
    """The embedding the SE golden was made with, as am/se.npy."""
    expected = np.load(KANTTS / "sambert_se_nsf_global_16k" / "expected.npz")
    np.save(path, expected["inputs_speaker"][0, :1])
    return path
