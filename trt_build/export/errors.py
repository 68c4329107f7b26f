"""What can go wrong in an export, told to people.

ExportError (`code` for programs, the message names the cure):
    config_missing         the model folder holds no config.yaml
    config_unreadable      config.yaml is not a YAML mapping, or has values that make no model
    config_incomplete      config.yaml lacks something the model needs
    checkpoint_missing     the model folder holds no ckpt/checkpoint_N.pth
    checkpoint_unsafe      the checkpoint holds Python objects, which are never run here
    checkpoint_unreadable  the checkpoint is damaged, or not in the format of PyTorch 1.6 and later
    checkpoint_mismatch    the checkpoint is not of the model in config.yaml
    not_causal             the vocoder looks ahead
    speaker_embeddings     the acoustic model wants speaker embeddings, not speaker ids
    filter_shift           an FSMN filter does not see its own frame
"""

from __future__ import annotations


class ExportError(Exception):
    """The model cannot be exported; the message says what to do about it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
