"""The graphs of SAMBERT: encoder, duration_step, memory, decoder_step, postnet.

What runs between them is cheap and length-dependent, so it stays on the host: changing pitch and
energy, rounding durations and repeating hidden states into frames.
"""

from __future__ import annotations

import onnx
import torch

from trt_build.export.decoder_graph import decoder_step, memory_projection
from trt_build.export.encoder_graph import duration_step, encoder
from trt_build.export.errors import ExportError
from trt_build.export.postnet_graph import postnet
from trt_build.export.sambert import Sambert


def export_acoustic(model: Sambert) -> dict[str, onnx.ModelProto]:
    """All graphs of a SAMBERT with speaker ids, by name; see `Sambert.with_speakers`.

    Raises:
        ExportError: speaker_embeddings, the voice takes those instead of ids; or filter_shift.
    """
    if model.takes_embeddings:
        raise ExportError(
            "speaker_embeddings",
            "this voice takes speaker embeddings (SE: true in config.yaml); give those of its "
            "speakers (Sambert.with_speakers), which become its speaker ids",
        )
    model.eval()
    with torch.no_grad():
        return {
            "encoder": encoder(model),
            "duration_step": duration_step(model),
            "memory": memory_projection(model),
            "decoder_step": decoder_step(model),
            "postnet": postnet(model),
        }
