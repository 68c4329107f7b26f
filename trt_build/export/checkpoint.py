"""KAN-TTS model folders, config.yaml and ckpt/checkpoint_N.pth; none of their code is run."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trt_build.export.config import (
    CONFIG,
    acoustic_params,
    generator_config,
    generator_params,
    read_config,
)
from trt_build.export.errors import ExportError
from trt_build.export.hifigan import Generator
from trt_build.export.sambert import Sambert, Vocabulary

__all__ = [
    "State",
    "fold_weight_norm",
    "generator_config",
    "left_out",
    "load_generator",
    "load_sambert",
    "newest_checkpoint",
    "read_checkpoint",
    "read_config",
    "sambert_of",
    "vocabulary_of",
]

State = dict[str, Tensor]
# Prefixes of parts that an acoustic checkpoint may hold and speech does not need.
LEFT_OUT = {
    "align_attention.": "align_attention: the aligner of a voice trained with MAS",
    "FP_predictor.": "FP_predictor: filled pauses (um, er) are not inserted",
}
_LFS = b"version https://git-lfs"
_SHOWN = 4  # names in a message


@contextmanager
def _fitting(folder: Path) -> Iterator[None]:
    """Say which file is to blame when a model cannot be made from a folder's config."""
    try:
        yield
    except KeyError as e:
        raise ExportError(
            "config_incomplete", f"{folder / CONFIG} lacks {e}; copy the voice's anew"
        ) from e
    except (TypeError, ValueError, RuntimeError) as e:
        raise ExportError(
            "config_unreadable",
            f"{folder / CONFIG} has a value no model can be made with; copy the voice's anew: {e}",
        ) from e


def newest_checkpoint(folder: Path) -> Path:
    """The checkpoint with the highest step.

    Raises:
        ExportError: checkpoint_missing.
    """
    found = sorted(
        (folder / "ckpt").glob("checkpoint_*.pth"),
        key=lambda p: int(re.sub(r"\D", "", p.stem) or 0),
    )
    if not found:
        raise ExportError(
            "checkpoint_missing",
            f"{folder / 'ckpt'} holds no checkpoint_N.pth; name a KAN-TTS am or voc model folder",
        )
    return found[-1]


def read_checkpoint(path: Path, *keys: str) -> State:
    """The tensors of a checkpoint under these keys; no code in it is run.

    Raises:
        ExportError: checkpoint_missing, checkpoint_unsafe, checkpoint_unreadable,
            checkpoint_mismatch.
    """
    value: Any = _load(path)
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not all(isinstance(v, Tensor) for v in value.values()):
        raise ExportError(
            "checkpoint_mismatch",
            f"{path} has no {'.'.join(keys)}; name the checkpoint of the model in {CONFIG}",
        )
    return value


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            pointer = file.read(len(_LFS)) == _LFS
        if not pointer:
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as e:
        raise ExportError("checkpoint_missing", f"there is no {path}; name one that is") from e
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as e:
        if isinstance(e, pickle.UnpicklingError) and zipfile.is_zipfile(path):
            raise ExportError(
                "checkpoint_unsafe",
                f"{path} holds Python objects, which are never run here; load it where you trust "
                "it and save its tensors alone under the same keys with torch.save",
            ) from e
        raise ExportError(
            "checkpoint_unreadable",
            f"{path} is damaged or was not written by PyTorch 1.6 or later; copy it anew",
        ) from e
    raise ExportError(
        "checkpoint_unreadable",
        f"{path} is a pointer of Git LFS, not the checkpoint; run `git lfs pull` where you cloned",
    )


def fold_weight_norm(state: State) -> State:
    """weight_g and weight_v of weight norm multiplied out; the norm is over all but axis 0."""
    out = dict(state)
    for name in [n for n in state if n.endswith("weight_g") and n[:-1] + "v" in state]:
        stem = name.removesuffix("_g")
        g, v = out.pop(name), out.pop(stem + "_v")
        # PyTorch's own kernel, as some trained nets blow the rounding of another up to 1e-4.
        out[stem] = torch._weight_norm(v, g, 0)
    return out


def _fill(model: nn.Module, state: State, path: Path) -> None:
    """Put the tensors into the model, every one of both.

    Raises:
        ExportError: checkpoint_mismatch, weights_not_finite.
    """
    wanted = model.state_dict()
    faults = [
        (f"lacks {_some(sorted(wanted.keys() - state.keys()))}", wanted.keys() - state.keys()),
        (
            f"has unknown {_some(sorted(state.keys() - wanted.keys()))}",
            state.keys() - wanted.keys(),
        ),
    ]
    told = [text for text, names in faults if names]
    shapes = [
        f"{name} is {tuple(state[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if shapes:
        told.append(f"{_some(shapes, '; ')}")
    if told:
        raise ExportError(
            "checkpoint_mismatch",
            f"{path} is not of the model in its {CONFIG}, so put the two that belong together into "
            f"one folder: it {'; '.join(told)}",
        )
    broken = [name for name, tensor in state.items() if not bool(tensor.isfinite().all())]
    if broken:
        raise ExportError(
            "weights_not_finite",
            f"{path} holds NaN or infinity in {_some(broken)}: its training went wrong; take an "
            "earlier checkpoint",
        )
    model.load_state_dict(state)


def _some(names: list[str], joint: str = ", ") -> str:
    """The first few, and how many there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return joint.join(names[:_SHOWN]) + more


def load_generator(folder: Path, checkpoint: Path | None = None) -> Generator:
    """A HiFi-GAN generator from a KAN-TTS voc folder, in eval mode; else the newest checkpoint.

    Raises:
        ExportError: any code of a model folder; subbands, layer_unknown.
    """
    params = generator_params(folder)
    path = checkpoint or newest_checkpoint(folder)
    state = read_checkpoint(path, "model", "generator")
    with _fitting(folder):
        model = Generator(generator_config(params))
    _fill(model, fold_weight_norm(state), path)
    return model.eval()


def vocabulary_of(state: State) -> Vocabulary:
    """Table sizes from the embeddings of a SAMBERT state."""

    def rows(name: str) -> int:
        return len(state[name]) if name in state and state[name].dim() == 2 else 0

    return Vocabulary(
        sy=rows("text_encoder.sy_emb.weight"),
        tone=rows("text_encoder.tone_emb.weight"),
        syllable_flag=rows("text_encoder.syllable_flag_emb.weight"),
        word_segment=rows("text_encoder.ws_emb.weight"),
        emotion=rows("emo_tokenizer.weight"),
        speaker=rows("spk_tokenizer.weight"),
    )


def left_out(state: State) -> tuple[str, ...]:
    """What a SAMBERT state holds that is not exported, for people."""
    return tuple(text for part, text in LEFT_OUT.items() if any(n.startswith(part) for n in state))


def load_sambert(folder: Path, checkpoint: Path | None = None) -> Sambert:
    """SAMBERT from a KAN-TTS am folder, in eval mode; else the newest checkpoint.

    Raises:
        ExportError: any code of a model folder; sybert, byte_input, features_unknown.
    """
    acoustic_params(folder)
    path = checkpoint or newest_checkpoint(folder)
    return sambert_of(folder, path, read_checkpoint(path, "model"))


def sambert_of(folder: Path, checkpoint: Path, state: State) -> Sambert:
    """SAMBERT of the folder's config.yaml with the state of one of its checkpoints.

    Raises:
        ExportError: as `load_sambert`.
    """
    params = acoustic_params(folder)
    kept = {n: t for n, t in state.items() if not n.startswith(tuple(LEFT_OUT))}
    with _fitting(folder):
        model = Sambert(params, vocabulary_of(kept))
    _fill(model, _exact(model, kept), checkpoint)
    return model.eval()


def _exact(model: nn.Module, state: State) -> State:
    """The state with its constants (position tables) as computed where it has them in float16."""
    constants = {n: p.detach() for n, p in model.named_parameters() if not p.requires_grad}
    rounded = {
        name: constant
        for name, constant in constants.items()
        if name in state
        and state[name].dtype is torch.float16
        and state[name].shape == constant.shape
        and torch.allclose(state[name].float(), constant, rtol=1e-3, atol=1e-3)
    }
    return {**state, **rounded}
