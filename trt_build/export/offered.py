"""The speakers and emotions of a voice narrowed to those it is to offer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from engines.session import Floats
from trt_build.export.sambert import Sambert


def offer_speakers(model: Sambert, ids: Sequence[int], extra: int) -> Sambert:
    """The model with these rows of its speaker table as 0, 1, ...; the last `extra` rows stay.

    The checkpoint's rows move with their names, so every speaker sounds as it did.
    """
    model.spk_tokenizer = _rows(model.spk_tokenizer, ids, extra)
    return model


def offer_emotions(model: Sambert, ids: Sequence[int], extra: int) -> Sambert:
    """The same for emotions."""
    model.emo_tokenizer = _rows(model.emo_tokenizer, ids, extra)
    return model


def embed_speakers(model: Sambert, embeddings: Floats) -> Sambert:
    """A model of speaker embeddings (speakers, units) turned into one of speaker ids."""
    return model.with_speakers(torch.from_numpy(embeddings))


def _rows(table: nn.Embedding, ids: Sequence[int], extra: int) -> nn.Embedding:
    total = table.num_embeddings
    index = torch.tensor([*ids, *range(total - extra, total)])
    rows = table.weight.detach()[index].clone()
    return nn.Embedding(len(index), rows.shape[1], _weight=rows, _freeze=True)
