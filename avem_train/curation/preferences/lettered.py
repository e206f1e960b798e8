"""Questions answered by letter. A letter has no shades: a wrong one stands for the option that it names."""

from avem_train.curation.asking.asker import Rejected
from avem_train.curation.balance.text_classifier import is_yes_no
from avem_train.curation.data.draws import draw
from avem_train.curation.data.rows import Row
from emorealm_tasks.mini.language.wording import LETTERS, lettered


def by_letter(row: Row, share: float, seed: int) -> bool:
    """Whether a question is one of those answered by letter, which are drawn."""
    return draw(seed, row["id"], "letters") < share


def prompt(row: Row) -> str:
    """Question and options as they are released."""
    return " ".join([row["question"], *lettered(row["choices"])])


def right(row: Row) -> str:
    """The letter of the right option."""
    return LETTERS[row["answer"]]


def rejected(row: Row) -> dict[str, str]:
    """Kind of rejected response -> letter: the option that is irrelevant, the one that is hallucinated, another.

    Of yes and no the other one is rejected twice, and a letter that is not offered is irrelevant. Raises Rejected where
    a question lacks such an option.
    """
    wrong = {LETTERS[place]: role for place, role in enumerate(row["roles"]) if place != row["answer"]}
    if is_yes_no(row):
        (other,) = wrong
        return {"video_relevant": other, "emotion_relevant": other, "irrelevant": LETTERS[len(row["roles"])]}
    found = {}
    for name, role in (("video_relevant", "irrelevant"), ("emotion_relevant", "hallucinated")):
        letter = next((letter for letter, of in wrong.items() if of == role), None)
        if letter is None:
            raise Rejected("option missing", f"the question has no {role} option")
        found[name] = letter
    rest = [letter for letter in wrong if letter not in found.values()]
    return found | {"irrelevant": rest[0] if rest else LETTERS[len(row["roles"])]}
