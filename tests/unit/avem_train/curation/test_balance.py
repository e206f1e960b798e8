"""Balancing as pure functions: what always holds, and that nothing more is dropped than must be."""

from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avem_train.curation.balance import labels, lengths, positions, quotas, text_classifier
from avem_train.curation.data.draws import draw, shuffled

COUNTS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 6), min_size=1)


@given(COUNTS, st.data())
def test_shares_differ_by_at_most_one_and_are_there(counts, data):
    total = data.draw(st.integers(0, quotas.most(counts)))
    shares = quotas.share(total, counts)
    assert sum(shares.values()) == total
    assert max(shares.values()) - min(shares.values()) <= 1
    assert all(0 <= shares[kind] <= count for kind, count in counts.items())


@given(COUNTS)
def test_no_more_can_be_shared_evenly(counts):
    choices = product(*(range(count + 1) for count in counts.values()))
    best = max(sum(choice) for choice in choices if max(choice) - min(choice) <= 1)
    assert quotas.most(counts) == best


@given(st.fixed_dictionaries({"yes": COUNTS, "no": COUNTS}))
def test_answers_become_equally_frequent(answers):
    totals = {sum(shares.values()) for shares in quotas.even(answers).values()}
    assert totals == {min(map(quotas.most, answers.values()))}


def test_the_stress_task_is_balanced_as_in_the_paper():
    answers = {"yes": {"no_hallucination": 90}, "no": {"spurious": 50, "hallucination": 30}}
    assert quotas.even(answers) == {"yes": {"no_hallucination": 61}, "no": {"spurious": 31, "hallucination": 30}}
    assert quotas.even({"yes": {"": 3}, "no": {}}) == {"yes": {"": 0}, "no": {}}


LABELS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 12), min_size=1)
SOURCE = st.fixed_dictionaries(dict.fromkeys("abcd", st.integers(1, 50)))
TOLERANCES = st.sampled_from([0.0, 0.05, 0.2, 1.0])


@given(LABELS, SOURCE, TOLERANCES)
def test_no_label_is_more_frequent_than_the_tolerance_allows(counts, source, tolerance):
    stay = labels.matched(counts, source, tolerance)
    total = sum(stay.values())
    wanted = labels.target(counts, source)
    for label, count in stay.items():
        assert 0 <= count <= counts[label]
        assert count <= wanted[label] * total + max(tolerance * total, 1) + 1e-6


@given(LABELS, SOURCE, TOLERANCES)
def test_no_larger_number_of_clips_would_do(counts, source, tolerance):
    total = sum(labels.matched(counts, source, tolerance).values())
    wanted = labels.target(counts, source)
    present = {label: count for label, count in counts.items() if count}
    for larger in range(total + 1, sum(counts.values()) + 1):
        assert sum(labels.allowed(present, wanted, larger, tolerance).values()) < larger


def test_matching_drops_only_the_surplus():
    source = {"a": 50, "b": 30, "c": 20}
    assert labels.matched({"a": 50, "b": 30, "c": 20}, source, 0.0) == {"a": 50, "b": 30, "c": 20}
    stay = labels.matched({"a": 90, "b": 30, "c": 20}, source, 0.05)
    assert (stay["b"], stay["c"]) == (30, 20)
    assert 50 <= stay["a"] < 90
    assert labels.shares(stay)["a"] <= 0.55
    assert labels.matched({"a": 9}, source, 0.05) == {"a": 9}  # the only label there is


@given(st.integers(2, 5).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n - 1), max_size=30))))
def test_positions_become_even_and_few_move(drawn):
    options, before = drawn
    after = positions.spread(before, options)
    counts = [after.count(position) for position in range(options)]
    assert max(counts) - min(counts) <= 1
    moved = sum(a != b for a, b in zip(before, after, strict=True))
    base, rest = divmod(len(before), options)
    ordered = [count for _, count in Counter(before).most_common()]
    assert moved == sum(max(0, count - base - (place < rest)) for place, count in enumerate(ordered))


@given(st.integers(1, 5), st.integers(-9, 9))
def test_rotation_moves_each_option_by_as_many_places(count, steps):
    items = list("abcde"[:count])
    turned = positions.rotated(items, steps)
    assert all(turned[(place + steps) % len(items)] == item for place, item in enumerate(items))


@given(st.lists(st.integers(), max_size=9), st.integers(0, 5))
def test_draws_depend_on_seed_and_names_alone(items, seed):
    assert shuffled(items, seed, "x") == shuffled(items, seed, "x")
    assert sorted(shuffled(items, seed, "x")) == sorted(items)
    assert 0 <= draw(seed, "x") < 1
    assert draw(seed, "x") != draw(seed, "y") != draw(seed + 1, "y")


def basic(number, right, wrong):
    answer = int(draw(7, number) * 4)
    choices = [wrong.format(number * place) for place in (1, 2, 3)]
    choices.insert(answer, right.format(number))
    return {"clip": str(number), "choices": choices, "answer": answer, "roles": ["right"] * 4, "question": "?"}


def yes_no(number, question, yes):
    row = {"clip": str(number), "question": question, "choices": ["Yes", "No"], "roles": ["yes", "no"]}
    return row | {"answer": 0 if yes else 1}


def test_the_classifier_finds_a_word_or_a_length_that_gives_the_answer_away():
    assert text_classifier.accuracy([basic(n, "it truly is {}", "it is so {}") for n in range(40)]) > 0.9
    assert text_classifier.accuracy([basic(n, "so so so so so {}", "so {}") for n in range(40)]) > 0.9
    assert text_classifier.accuracy([yes_no(n, f"a {'cat' if n % 2 else 'dog'}?", n % 2) for n in range(40)]) > 0.9


def test_the_classifier_is_at_chance_where_nothing_gives_the_answer_away():
    rows = [basic(n, "it is {}", "it is {}") for n in range(200)]
    assert text_classifier.accuracy(rows) < 0.4
    assert text_classifier.accuracy([yes_no(n, "is it?", draw(1, n) < 0.5) for n in range(200)]) < 0.6


def test_the_classifier_is_tested_on_clips_that_it_did_not_see():
    words = [f"is it {'abcdefghij'[n // 10]}{'abcdefghij'[n % 10]}?" for n in range(61)]  # no multiple of the folds
    rows = [yes_no(n, word, n % 2) for n, word in enumerate(words)]
    assert text_classifier.accuracy(rows * 4) < 0.7


@pytest.mark.parametrize("rows", [[], [basic(n, "a", "b") for n in range(19)], [basic(1, "a", "b")] * 30])
def test_too_few_questions_or_clips_teach_a_classifier_nothing(rows):
    assert text_classifier.accuracy(rows) is None


def test_lengths_are_counted_in_words():
    row = {"choices": ["a b c d", "a b", "a b c", "a"], "answer": 0}
    assert lengths.words(row) == (4, 2.0)
    assert lengths.ratio(row) == 2.0
