"""What can go wrong in an export, told to people.

ExportError (`code` for programs, the message names the cure):

of a model folder
    config_missing         it holds no config.yaml
    config_unreadable      config.yaml is not a YAML mapping, or has values that make no model
    config_incomplete      config.yaml lacks something the model needs
    checkpoint_missing     it holds no ckpt/checkpoint_N.pth
    checkpoint_unsafe      the checkpoint holds Python objects, which are never run here
    checkpoint_unreadable  the checkpoint is damaged, or not in the format of PyTorch 1.6 and later
    checkpoint_mismatch    the checkpoint is not of the model in config.yaml
    weights_not_finite     the checkpoint holds NaN or infinity

of a model that is not known here
    sybert                 it prepares the training of a voice, it is none
    byte_input             it reads bytes of text
    features_unknown       it reads other columns of symbols
    subbands               the vocoder writes sub-bands
    layer_unknown          the vocoder has a layer of another kind
    speaker_embeddings     the acoustic model wants speaker embeddings, not speaker ids
    filter_shift           an FSMN filter does not see its own frame

of an import
    archive_unreadable     a zip file is damaged or locked
    archive_unsafe         a zip file holds paths outside its folder, links, or far too much
    voice_missing          there is no acoustic model with its vocoder
    voice_ambiguous        there are several; the message lists them
    voice_unknown          there is none of that name; the message lists what there is
    language_unknown       the voice does not speak Mandarin
    mel_mismatch           the vocoder wants other frames than the acoustic model makes
    rate_unknown           the sample rate is written nowhere
    rate_mismatch          sample rates or hops contradict each other
    f0_missing             there is no mvn.npy, or it holds no mean and deviation
    tables_mismatch        the phones and tones are not those the voice was trained with
    speaker_unknown        the voice has no such speaker
    speaker_unusable       a speaker embedding is missing or does not fit
    emotion_unknown        KAN-TTS has no such emotion
    out_taken              the folder to write holds something else than a voice pack
    cannot_read            a file of the voice may not be read, or its disk fails
    cannot_write           the disk is full, or the folder may not be written
    graph_differs          an exported graph does not compute what the model does
"""

from __future__ import annotations


class ExportError(Exception):
    """The model cannot be exported; the message says what to do about it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
