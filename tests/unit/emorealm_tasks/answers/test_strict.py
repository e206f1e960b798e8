"""The strict reading of replies that loop, and of replies that were cut at the token limit."""

import gc
import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emorealm_tasks import answers, emotions
from emorealm_tasks.answers import choices
from emorealm_tasks.emotions.official import classify_approximately
from emorealm_tasks.judge import true_cues

CHOICES = ["(A) A wide smile", "(B) A raised voice", "(C) Tears on both cheeks", "(D) A raised hand that trembles"]
YES_NO = ["(A) Yes", "(B) No"]
WORDS = ["A", "B", "yes", "no", "not", "answer", "it's", "it", "is", "so", "or", "happy", "not happy", "smile", "tears"]
MARKS = [" ", "\n", ", ", ". ", "(", ")", "...", "**", "-", " or ", " and ", "<think>", "{", "</think>"]
READERS = {
    "strict": lambda text: answers.choose_option(text, CHOICES, "strict"),
    "strict, yes or no": lambda text: answers.choose_option(text, YES_NO, "strict"),
    "lenient": lambda text: answers.choose_option(text, CHOICES, "official_lenient"),
    "official": lambda text: answers.is_correct(text, "A", CHOICES, "official"),
    "emotion": emotions.classify,
    "emotion, released": classify_approximately,
    "cues": true_cues.claims,
}


def seconds(read, text):
    gc.disable()  # what else this process holds is not to count
    try:
        started = time.process_time()
        read(text)
        return time.process_time() - started
    finally:
        gc.enable()


def assert_grows_as_its_length(pattern, begin="", end=""):
    """8 times the text takes no more than 18 times as long; with a quadratic pass it would be 64 times."""
    small, large = (begin + pattern * (length // len(pattern)) + end for length in (2_000, 16_000))
    for name, read in READERS.items():
        limit = 18 * max(seconds(read, small), 0.002)
        assert any(seconds(read, large) < limit for _ in range(3)), (name, pattern)  # what else runs may slow one try


LOOPS = [
    *("A ", "A\n", "A B ", "A or ", "not A ", "A, ", "“A”", "option A ", "yes ", "no, ", "A was ", "A wide smile "),
    *(
        "the answer is ",
        "answer it's ",
        "it's ",
        "so ",
        "actually, ",
        "answer ",
        ",",
        ")(",
        "...",
        "*",
        "<think>",
        "</think>",
    ),
    *(
        "happy ",
        "not happy, ",
        "happy, ",
        "sad and ",
        "no ",
        "tears ",
        "not ",
        "-",
        "a-",
        "\n",
        " ",
        "{",
        '{"a":',
        "A\n\n",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("pattern", LOOPS)
def test_a_reply_that_loops_is_read_in_proportion_to_its_length(pattern):
    assert_grows_as_its_length(pattern)
    assert_grows_as_its_length(pattern, "The answer is A", "and finally x B")
    assert_grows_as_its_length(pattern, "not happy", "or sad A")


@given(st.lists(st.sampled_from([*WORDS, *MARKS]), min_size=1, max_size=4), st.sampled_from(WORDS))
@settings(max_examples=25, deadline=None)
def test_no_loop_of_words_and_marks_takes_longer(parts, end):
    assert_grows_as_its_length("".join(parts), end=f" {end} x")


@pytest.mark.slow
def test_a_loop_of_200_kilobytes_is_still_read():
    assert answers.choose_option("A " * 100_000, CHOICES, "strict") == "A"
    assert answers.choose_option("A B " * 50_000, CHOICES, "strict") is None
    assert answers.choose_option("A " * 100_000 + "\nFinal answer: B", CHOICES, "strict") == "B"


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("A wide", "A"),
        ("a wide smi", "A"),
        ("A raised v", "B"),
        ("A raised", None),
        ("A raised h", "D"),
        ("A raised hand that trem", "D"),
        ("raised hand", "D"),
        ("The answer is: a wide sm", "A"),
        ("The correct option is tears on bo", "C"),
        ("**Tears on", "C"),
        ("Tears on", "C"),
        ("Tears on both hands", None),
        ("Te", None),
        ("A", "A"),
        ("B", "B"),
        ("A raised voice", "B"),
        ("(C) Tears on bo", "C"),
        ("(B) Tears on bo", "B"),
        ("A wide grin", None),
        ("Tears.", None),
        ("", None),
    ],
)
def test_an_option_cut_at_the_token_limit_is_read_where_it_is_the_only_one(reply, letter):
    assert answers.choose_option(reply, CHOICES, "strict") == letter


def test_an_option_that_begins_as_another_one_is_told_from_it():
    choices = ["(A) A raised voice", "(B) A raised voice and trembling hands", "(C) Tears"]
    assert answers.choose_option("A raised voice", choices, "strict") == "A"
    assert answers.choose_option("A raised voice and trem", choices, "strict") == "B"
    assert answers.choose_option("A raised voi", choices, "strict") is None


def test_every_cut_is_read_as_soon_as_it_can_be():
    for choice in CHOICES:
        letter, text = choices.split_choice(choice)
        others = [choices.split_choice(other)[1].lower() for other in CHOICES if other != choice]
        for length in itertools.count(6):
            if length >= len(text):
                break
            cut = text[:length]
            alone = not any(other.startswith(cut.lower().strip()) for other in others)
            assert answers.choose_option(cut, CHOICES, "strict") == (letter if alone else None), cut


def test_thoughts_whose_beginning_the_template_has_are_passed_over():
    assert answers.choose_option("Perhaps A? No.</think>\nB", CHOICES, "strict") == "B"
