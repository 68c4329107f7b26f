"""The two models of a KAN-TTS voice, from config.yaml and a checkpoint."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from trt_build.export.checkpoint_file import (
    State,
    fold_weight_norm,
    newest_checkpoint,
    read_checkpoint,
)
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

M = TypeVar("M", bound=nn.Module)
# Prefixes of parts that an acoustic checkpoint may hold and speech does not need.
LEFT_OUT = {
    "align_attention.": "align_attention: the aligner of a voice trained with MAS",
    "FP_predictor.": "FP_predictor: filled pauses (um, er) are not inserted",
}
_SHOWN = 4  # names in a message
_NO_MODEL = (
    ArithmeticError,
    AttributeError,
    IndexError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


@contextmanager
def _fitting(folder: Path) -> Iterator[None]:
    """Say which file is to blame when a model cannot be made from a folder's config."""
    try:
        yield
    except KeyError as e:
        raise ExportError(
            "config_incomplete", f"{folder / CONFIG} lacks {e}; copy the voice's anew"
        ) from e
    except _NO_MODEL as e:
        raise ExportError(
            "config_unreadable",
            f"{folder / CONFIG} has a value no model can be made with; copy the voice's anew: {e}",
        ) from e


def _check(wanted: State, state: State, path: Path) -> None:
    """Refuse tensors that are not those of the model, one by one.

    Raises:
        ExportError: checkpoint_mismatch, weights_not_finite.
    """
    lacking, unknown = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    told = [f"lacks {_some(lacking)}"] if lacking else []
    told += [f"has unknown {_some(unknown)}"] if unknown else []
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
    broken = [n for n, t in state.items() if not t.is_meta and not bool(t.isfinite().all())]
    if broken:
        raise ExportError(
            "weights_not_finite",
            f"{path} holds NaN or infinity in {_some(broken)}: its training went wrong; take an "
            "earlier checkpoint",
        )


def _made(make: Callable[[], M], state: State, folder: Path, path: Path) -> M:
    """The model that `make` makes, holding every tensor of the state, in eval mode.

    It is made without memory first, so that a config cannot ask for more than the checkpoint has.

    Raises:
        ExportError: config_incomplete, config_unreadable, checkpoint_mismatch, weights_not_finite.
    """
    with _fitting(folder), torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of empty tensors, which the check refuses
        shapes = make()
    _check(shapes.state_dict(), {**_constants(shapes), **state}, path)
    with _fitting(folder):
        model = make()
    model.load_state_dict(_exact(model, state))
    return model.eval()


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
    return _made(lambda: Generator(generator_config(params)), fold_weight_norm(state), folder, path)


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
    return _made(lambda: Sambert(params, vocabulary_of(kept)), kept, folder, checkpoint)


def _constants(model: nn.Module) -> State:
    """What is not trained: the position tables."""
    return {n: p.detach() for n, p in model.named_parameters() if not p.requires_grad}


def _exact(model: nn.Module, state: State) -> State:
    """The state with its constants (position tables) as computed where it has them coarser or not.

    KAN-TTS loads acoustic models the same way: what is not trained may be missing.
    """
    computed = {
        name: constant
        for name, constant in _constants(model).items()
        if name not in state or _rounded(state[name], constant)
    }
    return {**state, **computed}


def _rounded(tensor: Tensor, constant: Tensor) -> bool:
    """Whether a tensor is a constant in half precision."""
    if tensor.dtype not in (torch.float16, torch.bfloat16) or tensor.shape != constant.shape:
        return False
    step = torch.finfo(tensor.dtype).eps
    return torch.allclose(tensor.float(), constant, rtol=step, atol=step)
