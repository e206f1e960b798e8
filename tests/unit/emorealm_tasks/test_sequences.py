"""How far sequences begin alike."""

from hypothesis import given
from hypothesis import strategies as st

from emorealm_tasks.sequences import common_prefix

IDS = st.integers(0, 2)


@given(st.lists(IDS, max_size=5), st.lists(st.lists(IDS, min_size=1), min_size=1, max_size=6))
def test_the_longest_prefix_that_leaves_each_prompt_something(head, tails):
    prompts = [head + tail for tail in tails]
    length = common_prefix(prompts, remainder=1)
    assert len(head) <= length or length == min(map(len, prompts)) - 1
    assert length < min(map(len, prompts))
    assert len({tuple(prompt[:length]) for prompt in prompts}) == 1
    longer = {tuple(prompt[: length + 1]) for prompt in prompts}
    assert len(longer) > 1 or length + 1 == min(map(len, prompts))


def test_texts_and_sequences_that_are_the_others_beginning():
    assert common_prefix(("fps 8", "fps 16")) == 4
    assert common_prefix(([1, 2], [1, 2, 3])) == 2
    assert common_prefix(([], [1])) == 0
