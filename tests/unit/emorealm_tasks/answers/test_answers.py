"""The strict reading: one case for each way a reply can trip a reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorealm_tasks.answers import choose_option, is_correct
from emorealm_tasks.answers.choices import split_choice, yes_no_letters

YES_NO = ["(A) Yes", "(B) No"]
NO_YES = ["(A) No", "(B) Yes"]
AGREE = ["(A) Yes, both modalities agree", "(B) No, they differ"]
CUES = [
    "(A) Tears running down the cheeks",
    "(B) A wide smile with crinkled eyes",
    "(C) The man's loud voice",
    "(D) No speech can be heard",
]


def strict(reply, choices):
    return choose_option(reply, choices, "strict")


@pytest.mark.parametrize(
    ("reply", "choices", "letter", "official"),
    [
        ("a", CUES, "A", True), ("the answer is b", CUES, "B", True), ("the correct answer is a", CUES, "A", True),
        ("a because she cries", CUES, "A", True), ("c the man's loud voice", CUES, "C", True),
        ("the correct answer is a tears running down the cheeks", CUES, "A", True),
        ("the person is smiling so the answer is b a wide smile with crinkled eyes", CUES, "B", True),
        ("a yes", YES_NO, "A", True), ("b no they do not agree", YES_NO, "B", True), ("b", AGREE, "B", True),
        # the official reading knows letters alone, in whichever case
        ("yes", YES_NO, "A", False), ("no the person is sad", YES_NO, "B", False),
        ("a wide smile with crinkled eyes", CUES, "B", False),
        ("the answer is a the woman is crying", CUES, None, True),  # an article, or the letter
    ],
)  # fmt: skip
def test_lower_case_without_full_stops_as_emotion_llama_answers(reply, choices, letter, official):
    assert strict(reply, choices) == letter
    assert is_correct(reply, letter or "A", choices, "official") is official


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("A", "A"), ("a", "A"), ("A.", "A"), ("(A)", "A"), ("A)", "A"), ("[A]", "A"), ("**A**", "A"), ("'A'", "A"),
        ("A:", "A"), ("A_", "A"), ("A\n", "A"), ("A</s>", "A"), ("Answer: A", "A"), ("Answer:A", "A"),
        ("The answer is A", "A"), ("The answer is (A).", "A"), ("Option A", "A"), ("option a is shown", "A"),
        ("A because she cries", "A"), ("A is correct", "A"), ("I choose A, the tears", "A"), (r"\boxed{A}", "A"),
        ("<answer>A</answer>", "A"), ("A - tears", "A"), ("A... no, actually C", "C"), ("A. Wait, it is C.", "C"),
        ("A, no, C", "C"), ("I mean D", "D"), ("B; on second thought, D", "D"), ("A. Therefore the answer is B.", "B"),
        ("not B but C", "C"), ("It is not B, it is C", "C"), ("C, not B", "C"), ("C rather than B", "C"),
        ("neither A nor B but D", "D"), ("B is wrong, so C", "C"), ("B isn't there. C", "C"), ("I'd say D", "D"),
        ("I'd say so", None), ("I do not think it is C", None), ("Not C, maybe another", None),
        ("a smile", None), ("A smile", None), ("It is a smile", None), ("The answer is a smile", None),
        ("She has a wide smile", None), ("(a slight smile)", None), ("at 9 a.m. he cries", None), ("an A-frame", None),
        ("A or B", None), ("A/B", None), ("A, B", None), ("A and C", None), ("Either A or C", None), ("A B C D", None),
        ("A or E", None), ("E", None), ("(E)", None), ("AB", None), ("abcd", None), ("1", None), ("", None),
        (" \n", None),
        ("The answer is A. The answer is B.", None), ("None of the above", None), ("All of the above", None),
        ("(C) Tears running down the cheeks", None), ("The answer is (C) Tears running down the cheeks", None),
        ("tears running down the cheeks", "A"), ("TEARS RUNNING DOWN THE CHEEKS!", "A"), ("Tears running", "A"),
        ("Wide smile with crinkled eyes.", "B"), ("It's the man's loud voice", "C"), ("No speech can be heard.", "D"),
        ("B. A wide smile with crinkled eyes", "B"),
        ("not tears running down the cheeks, but the man's loud voice", "C"),
        ("<think>A or B? A.</think>C", "C"), ("<think>It may be A", None), ("Ｂ", "B"),
        ("Option B shows joy. The best answer is C", "C"), ("A\n\nShe cries. B is a smile.", "A"), ("A\nB", None),
        ("A. Tears running down the cheeks\nB. A wide smile with crinkled eyes", None),
        ("There are no tears running down the cheeks", None), ("A\nB\nThe answer is B", "B"),
    ],
)  # fmt: skip
def test_four_options(reply, letter):
    assert strict(reply, CUES) == letter


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        ("Yes", "yes"), ("yes.", "yes"), ("YES!", "yes"), ("Yes, they do", "yes"), ("yeah", "yes"),
        ("I would say yes", "yes"), ("Yes, there is no conflict.", "yes"), ("No doubt: yes", "yes"),
        ("It's a yes", "yes"), ("No, actually yes", "yes"),
        ("No", "no"), ("no.", "no"), ("nope", "no"), ("No way", "no"), ("No, they differ", "no"), ("I'd say no", "no"),
        ("No it does not", "no"), ("The answer is no because she frowns", "no"), ("Yes... wait, no", "no"),
        ("Yes. Therefore, the answer is no.", "no"), ("Not yes but no", "no"),
        ("Yes and no", None), ("yes or no", None), ("Yes/No", None), ("This is a yes or no question", None),
        ("I know", None), ("There is no evidence of anger", None), ("No speech", None), ("They know his nose", None),
        ("It is not clear", None), ("Maybe", None), ("yesterday", None), ("Yes. No.", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("choices", [YES_NO, NO_YES, AGREE])
def test_yes_no(reply, word, choices):
    assert strict(reply, choices) == (yes_no_letters(choices)[word] if word else None)


@pytest.mark.parametrize(
    ("reply", "letter"),
    [("A. Yes", "A"), ("(B) No", "B"), ("A) No", None), ("Option A: Yes", "A"), ("B, no", "B"), ("A, no, B", None),
     ("A. No wait, B", "B"), ("No (B)", "B"), ("(A) Yes\n(B) No", None), ("(A) Yes (B) No. Answer: B", "B")],
)  # fmt: skip
def test_letters_and_words_must_agree(reply, letter):
    assert strict(reply, YES_NO) == letter


@pytest.mark.parametrize(
    "reply",
    ["[LMMS_EVAL_REQUEST_FAILED after 3 retries] Error: A", "[SAFETY_BLOCKED: A]", "[LMMS_EVAL_BUDGET_EXCEEDED]",
     "[GENERATION_FAILED] (A) timeout", " [safety_blocked:a]"],
)  # fmt: skip
@pytest.mark.parametrize("choices", [YES_NO, CUES])
def test_failure_marks_are_no_answer(reply, choices):
    assert strict(reply, choices) is None


def test_no_is_no_letter_where_no_choice_says_no():
    assert strict("No", ["(A) agree", "(B) differ"]) is None
    assert strict("they do not agree", ["(A) agree", "(B) differ"]) is None
    assert strict("differ", ["(A) agree", "(B) differ"]) == "B"


def test_equal_choice_texts_name_no_letter():
    assert strict("a hat", ["(A) a hat", "(B) A hat", "(C) a dog"]) is None


def test_the_longer_choice_text_wins():
    assert strict("a wide smile", ["(A) smile", "(B) a wide smile"]) == "B"


@pytest.mark.parametrize("choice", ["(A) Yes", "A. Yes", "A: Yes", "A) Yes", "[A] Yes", " (a)  Yes "])
def test_split_choice(choice):
    assert split_choice(choice) == ("A", "Yes")


def test_a_choice_without_letter_is_refused_by_name():
    with pytest.raises(ValueError, match="'Yes' does not start with its letter"):
        split_choice("Yes")


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="lenient"):
        choose_option("A", YES_NO, "lenient")
    with pytest.raises(ValueError, match="official"):
        choose_option("A", YES_NO, "official")


def test_official_keeps_the_released_faults():
    assert is_correct("It is a smile", "A", CUES, "official")
    assert not is_correct("Yes", "A", YES_NO, "official")
    assert is_correct("Yes", "A", YES_NO, "official_lenient")
    assert is_correct("It is a smile", "A", CUES, "official_lenient")
    assert not is_correct("It is a smile", "A", CUES, "strict")


@pytest.mark.parametrize(
    ("reply", "choices", "letter"),
    [
        ("Unknown", ["(A) No.", "(B) Yes."], "A"),
        ("nope", ["(A) Yes.", "(B) No."], "B"),
        ("It does not.", ["A. Yes!", "B. No!"], "B"),
        ("noise from the street", ["A: Noise from the street.", "B: Sharp intake of breath."], "A"),
        ("Unknown", ["(A) No", "(B) Yes"], "A"),
        ("Maybe", ["(A) No.", "(B) Yes."], None),
        ("Maybe", ["(A) ...", "(B) Yes."], None),
    ],
)
def test_the_second_parser_looks_for_a_choice_without_its_closing_punctuation(reply, choices, letter):
    assert choose_option(reply, choices, "official_lenient") == letter


letters = st.sampled_from("ABCD")
frames = st.sampled_from(
    ["{}", "({})", "{}.", "{})", "[{}]", "Answer: {}", "The answer is ({}).", "**{}**", "Option {}", "{}\n"]
)
changes = st.sampled_from([str, str.lower, str.upper])


@given(letters, frames, changes)
def test_a_framed_letter_is_always_read(letter, frame, change):
    assert strict(change(frame.format(letter)), CUES) == letter


denials = st.sampled_from(["not {} but {}", "It isn't ({}), it's ({}).", "{}... no, actually {}"])


@given(letters, letters, denials, changes)
def test_the_denied_letter_never_wins(denied, meant, frame, change):
    answer = strict(change(frame.format(denied, meant)), CUES)
    assert answer == meant or (denied == meant and answer is None)


@given(st.sampled_from([text.split(") ", 1)[1] for text in CUES]), st.permutations(range(4)), changes)
def test_choice_text_is_found_wherever_it_stands(text, order, change):
    texts = [CUES[i].split(") ", 1)[1] for i in order]
    choices = [f"({letter}) {choice}" for letter, choice in zip("ABCD", texts, strict=True)]
    assert strict(change(text), choices) == "ABCD"[texts.index(text)]


@given(st.text(), st.sampled_from([YES_NO, NO_YES, AGREE, CUES]), st.sampled_from(["strict", "official_lenient"]))
def test_any_text_gives_a_letter_or_nothing(text, choices, mode):
    assert choose_option(text, choices, mode) in {None, *"ABCD"[: len(choices)]}


words = st.sampled_from(
    ["a", "smile", "the", "A", "B", "(C)", "answer", "is", "not", "but", "actually", "no", "yes", "or,", "wait.", "D:",
     "option", "tears", "isn't", "so\n", "wrong"]
)  # fmt: skip


@given(st.lists(words, max_size=12).map(" ".join))
def test_case_and_closing_marks_do_not_change_the_reading(text):
    answer = strict(text, CUES)
    assert strict(text.lower(), CUES) == strict(text.upper(), CUES) == answer
    assert strict(f"  {text}\n", CUES) == answer
