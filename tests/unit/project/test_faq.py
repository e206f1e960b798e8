"""docs/faq.md: its memory at 7 billion parameters is what the estimate says, and newcomers' questions have answers."""

import re
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "faq.md").read_text(encoding="utf-8")
ANSWERED = (
    "pip install",
    "source .venv/bin/activate",
    "emorealm-mini build",
    "pip wheel",
    "without CUDA",
    "how do I delete it",
    "How much disk and time",
    "Which platforms",
    "How much GPU memory",
    "How many hours",
    "Which reading do I compare with the paper",
    "24 frames a second and 16 kHz",
    "Which backbones does the converter need",
    "How do I read a saved run in Python",
    "pandas data frames",
    "Is there a notebook",
    "How do I publish a run or a model",
    "Under which licence",
    "How do I cite it",
)


def test_every_question_of_a_newcomer_has_an_answer():
    assert [words for words in ANSWERED if words not in PAGE] == []


def test_the_memory_of_a_training_is_the_estimate(capsys):
    answer = PAGE.split("### How much GPU memory")[1].split("\n### ")[0]
    (block,) = re.findall(r"```python\n(.*?)```", answer, re.DOTALL)
    (printed,) = re.findall(r"```text\n(.*?)```", answer, re.DOTALL)
    exec(compile(block, "docs/faq.md", "exec"), {})
    assert capsys.readouterr().out == printed
