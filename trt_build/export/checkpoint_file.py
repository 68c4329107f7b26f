"""KAN-TTS's ckpt/checkpoint_N.pth: tensors by name, with none of its code run."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trt_build.export.errors import ExportError

State = dict[str, Tensor]
_STEP = re.compile(r"checkpoint_(\d+)\.pth")
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_LFS = b"version https://git-lfs"
# What torch.load lets through of a file that is no checkpoint: its unpickler does not expect one.
_NO_CHECKPOINT = (
    pickle.UnpicklingError,
    struct.error,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
# Names of weight norm in PyTorch 2's parametrizations, and in KAN-TTS's checkpoints.
_PARAMETRIZED = {
    "parametrizations.weight.original0": "weight_g",
    "parametrizations.weight.original1": "weight_v",
}


def newest_checkpoint(folder: Path) -> Path:
    """The checkpoint with the highest step.

    Raises:
        ExportError: checkpoint_missing.
    """
    steps = {
        int(match[1]): path
        for path in sorted((folder / "ckpt").glob("checkpoint_*.pth"))
        if (match := _STEP.fullmatch(path.name))
    }
    if not steps:
        raise ExportError(
            "checkpoint_missing",
            f"{folder / 'ckpt'} holds no checkpoint_N.pth; name a KAN-TTS am or voc model folder, "
            "or one file with --am or --voc",
        )
    return steps[max(steps)]


def read_checkpoint(path: Path, *keys: str) -> State:
    """The tensors of a checkpoint under these keys; no code in it is run.

    Raises:
        ExportError: checkpoint_missing, checkpoint_unsafe, checkpoint_unreadable,
            checkpoint_mismatch, cannot_read.
    """
    value: Any = _load(path)
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not all(map(_named_tensor, value.items())):
        raise ExportError(
            "checkpoint_mismatch",
            f"{path} has no plain tensors of floating point under {'.'.join(keys)}; name the "
            "checkpoint of the model in config.yaml",
        )
    return value


def _named_tensor(item: tuple[object, object]) -> bool:
    name, tensor = item
    return (
        isinstance(name, str)
        and name.isprintable()
        and isinstance(tensor, Tensor)
        and tensor.layout is torch.strided
        and not tensor.is_nested
        and tensor.dtype in _DTYPES
        and tensor.device.type == "cpu"
        # One that repeats a few numbers may claim to be larger than the machine.
        and tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
    )


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            pointer = file.read(len(_LFS)) == _LFS
        if not pointer:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they are for whoever wrote it
                return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as e:
        raise ExportError("checkpoint_missing", f"there is no {path}; name one that is") from e
    except (IsADirectoryError, PermissionError) as e:
        raise ExportError(
            "cannot_read", f"cannot read {path}: {e.strerror}; name a file you may read"
        ) from e
    except _NO_CHECKPOINT as e:
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
    """Both tensors of each weight norm multiplied out; the norm is over all but axis 0.

    Raises:
        ExportError: checkpoint_mismatch, the two do not fit each other.
    """
    out = {_older(name): tensor for name, tensor in state.items()}
    for name in [n for n in out if n.endswith("weight_g") and n[:-1] + "v" in out]:
        stem = name.removesuffix("_g")
        g, v = out.pop(name), out.pop(stem + "_v")
        # The kernel below believes what it is told: shapes that do not fit corrupt memory.
        if not v.numel() or not v.dim() or g.shape != (len(v), *[1] * (v.dim() - 1)):
            raise ExportError(
                "checkpoint_mismatch",
                f"{name} is {tuple(g.shape)}, which is no norm of {stem}_v {tuple(v.shape)}; copy "
                "the checkpoint anew",
            )
        # PyTorch's own kernel, as some trained nets blow the rounding of another up to 1e-4.
        out[stem] = torch._weight_norm(v.float().contiguous(), g.float().contiguous(), 0)
    return out


def _older(name: str) -> str:
    for new, old in _PARAMETRIZED.items():
        if name.endswith(new):
            return name.removesuffix(new) + old
    return name
