"""Three ways to answer questions about clips, and the questions to answer: what `evaluation.py` measures."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from model_adapters.avere import clips
from model_adapters.avere.clips import MediaEncoder
from model_adapters.avere.prefix import truncate_at
from model_adapters.avere.runner import Question, Runner
from model_adapters.base.media_refs import ClipFiles

LIMIT = 5  # new tokens, as released for the benchmark's questions


class Bench:
    """A model, its processor, and the three ways to answer a list of questions: each returns lists of new ids.

    `decode` (processor, medium) -> `clips.Decoded` reads media; it may be replaced by one that needs no files.
    """

    def __init__(self, model, processor, batch_size: int, decode: Callable[..., clips.Decoded] = clips.decode) -> None:
        self.model, self.processor, self.batch_size, self.decode = model, processor, batch_size, decode
        self.eos = processor.tokenizer.eos_token_id

    def inputs(self, question: Question) -> dict:
        """One question's clip as the towers take it, one row."""
        names = {"video": "pixel_values_videos", "audio": "input_features"}
        decoded = {medium.kind: self.decode(self.processor, medium).values for medium in question.clip.media}
        return {names[kind]: values[None].to(self.model.device, self.model.dtype) for kind, values in decoded.items()}

    @torch.inference_mode()
    def released(self, questions: Sequence[Question]) -> list[list[int]]:
        """(a): everything again for every token of every question."""
        answers = []
        for question in questions:
            media, ids = self.inputs(question), list(question.ids)
            while len(ids) - len(question.ids) < LIMIT and ids[-1] != self.eos:
                row = torch.tensor([ids], device=self.model.device)
                output = self.model(input_ids=row, attention_mask=torch.ones_like(row), use_cache=False, **media)
                ids.append(output.logits[0, -1].argmax().item())
            answers.append(truncate_at(ids[len(question.ids) :], self.eos))
        return answers

    @torch.inference_mode()
    def cached(self, questions: Sequence[Question]) -> list[list[int]]:
        """(b): transformers' own generate with its KV cache, one question at a time."""
        answers = []
        for question in questions:
            row = torch.tensor([list(question.ids)], device=self.model.device)
            output = self.model.generate(
                input_ids=row,
                attention_mask=torch.ones_like(row),
                **self.inputs(question),
                max_new_tokens=LIMIT,
                do_sample=False,
                eos_token_id=self.eos,
                pad_token_id=self.eos,
            )
            answers.append(truncate_at(output[0, row.shape[1] :].tolist(), self.eos))
        return answers

    def ours(self, questions: Sequence[Question], batch_size: int | None = None) -> list[list[int]]:
        """(c): grouped by clip, encoded once, prefix shared, batched."""
        encoder = MediaEncoder(self.model, self.processor, budget=2**31, read=self.decode)
        runner = Runner(encoder, batch_size or self.batch_size, self.eos)
        answers: dict = dict(runner.generate(questions))
        encoder.close()
        return [answers[number] for number in range(len(questions))]


def load_questions(data: Path, processor) -> dict[ClipFiles, list[Question]]:
    """The mini benchmark's questions by clip, in the order of its file."""
    by_clip: dict[ClipFiles, list[Question]] = {}
    for item in json.loads((data / "emorealm_v1.json").read_text()):
        path = str(data / "videos" / item["video"])
        prompt = processor.prompt(item["question"] + " " + " ".join(item["choices"]), video=True, audio=True)
        question = Question(ClipFiles(path, path), processor.encode_prompt(prompt), limit=LIMIT)
        by_clip.setdefault(question.clip, []).append(question)
    return by_clip


def take(by_clip: dict[ClipFiles, list[Question]], ratio: float, clip_count: int) -> list[Question]:
    """`clip_count` clips with `ratio` questions each on average (1.5 = one and two in turn).

    A clip with too few questions of its own is asked those of the clips after it: their wording is what costs time.
    """
    chosen = list(by_clip)[:clip_count]
    pool = [question.ids for questions in by_clip.values() for question in questions]
    taken = []
    for number, clip in enumerate(chosen):
        wanted = int(ratio * (number + 1)) - int(ratio * number)
        own = [question.ids for question in by_clip[clip]]
        taken += [Question(clip, ids, limit=LIMIT) for ids in (own + pool[number:] + pool)[:wanted]]
    return taken
