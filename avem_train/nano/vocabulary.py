"""Trains the embedded model's SentencePiece vocabulary on the words of the training world."""

import io
from collections.abc import Iterable

import sentencepiece


def train_vocabulary(texts: Iterable[str], size: int) -> bytes:
    """A Llama-style SentencePiece model: BPE, byte fallback, dummy prefix, unk/bos/eos = 0/1/2.

    texts: what the model will read and write. size: number of pieces, 259 of them bytes and control pieces.
    Returns the content of a `tokenizer.model` file. Raises RuntimeError where the texts hold too few pieces for `size`.
    """
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=size,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",  # as Llama's: text is taken as it is
        remove_extra_whitespaces=False,
        add_dummy_prefix=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        num_threads=1,  # the same texts give the same pieces
        minloglevel=2,
    )
    return model.getvalue()
