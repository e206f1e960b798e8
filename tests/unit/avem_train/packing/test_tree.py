import torch
from hypothesis import given
from hypothesis import strategies as st

from avem_train.packing import tree
from avem_train.packing.tree import Token

numbers = st.lists(st.integers(0, 3), min_size=1, max_size=9)


def line(ids):
    return tuple(Token(id_, position) for position, id_ in enumerate(ids))


@given(st.lists(numbers, min_size=1, max_size=6), st.booleans())
def test_every_sequence_sees_itself_and_nothing_else(lists, share):
    sequences = [line(ids) for ids in lists]
    rows = tree.rows(sequences, share)
    found = {}
    for row in rows:
        seen = tree.visible(row)
        for number, places in row.places.items():
            found[number] = tuple(row.tokens[place] for place in places)
            for i, place in enumerate(places):
                assert seen[place].nonzero()[:, 0].tolist() == places[: i + 1]
    assert [found[number] for number in range(len(sequences))] == sequences
    assert share or len(rows) == len(sequences)


def test_what_is_common_is_there_once():
    media = [Token(0, i, "clip", i) for i in range(6)]
    asked = [Token(5, 6), Token(6, 7)]
    sequences = [(*media, *asked, Token(n, 8)) for n in (7, 8, 9)]
    (row,) = tree.rows(sequences)
    assert len(row.tokens) == 6 + 2 + 3
    assert row.parents == [-1, 0, 0, 0]


def test_branches_branch_again():
    # the picture is shared by all, the sound by two of the three
    picture = [Token(0, i, "picture", i) for i in range(8)]
    sounds = {name: [Token(0, 8 + i, name, i) for i in range(2)] for name in ("own", "other")}
    sequences = [(*picture, *sounds[name], Token(id_, 10)) for name, id_ in (("own", 3), ("own", 4), ("other", 3))]
    (row,) = tree.rows(sequences)
    assert len(row.tokens) == 8 + (2 + 1 + 1) + (2 + 1)


def test_other_media_make_another_row():
    sequences = [(Token(1, 0), *[Token(0, 1 + i, clip, i) for i in range(6)], Token(2, 7)) for clip in ("one", "two")]
    assert len(tree.rows(sequences)) == 2


@given(st.lists(numbers, min_size=2, max_size=4))
def test_masks_of_batches_hold_those_of_rows(lists):
    rows = tree.rows([line(ids) for ids in lists])
    length = max(len(row.tokens) for row in rows) + 1
    made = tree.mask(rows, length)
    for number, row in enumerate(rows):
        size = len(row.tokens)
        assert torch.equal(made[number, 0, :size, :size], tree.visible(row))
        assert made[number, 0, size:].sum(-1).tolist() == [1] * (length - size)
        assert tree.real(rows, length)[number].tolist() == [True] * size + [False] * (length - size)
    for since in range(length + 1):
        assert torch.equal(tree.mask(rows, length, since), made[:, :, since:])


@given(st.lists(numbers, min_size=1, max_size=4))
def test_what_stands_before_every_branch_is_plainly_causal(lists):
    rows = tree.rows([line(ids) for ids in lists])
    length = max(len(row.tokens) for row in rows) + 1
    prefix = tree.prefix_length(rows, length)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    for seen, row in zip(tree.mask(rows, length)[:, 0], rows, strict=True):
        size = min(prefix, len(row.tokens))
        assert torch.equal(seen[:size], causal[:size])
    assert (prefix == length) == all(len(row.parents) == 1 for row in rows)


@given(st.lists(numbers, min_size=1, max_size=8))
def test_no_row_makes_the_others_pad_to_more_than_twice_the_longest_sequence(lists):
    alike = [line([9] * 9 + ids) for ids in lists]
    assert max(len(row.tokens) for row in tree.rows(alike)) <= 2 * max(map(len, alike))


@given(st.lists(numbers, min_size=1, max_size=8), st.integers(1, 30))
def test_no_tree_of_a_row_sees_another(lists, limit):
    """And what each sees of itself is what it sees in the whole row."""
    for row in tree.joined(tree.rows([line(ids) for ids in lists]), limit):
        whole = torch.zeros(len(row.tokens), len(row.tokens), dtype=torch.bool)
        extents = tree.trees(row)
        for one in extents:
            seen = tree.visible(row, one.start, one)
            whole[one.start : one.end, one.start : one.end] = seen
            causal = torch.ones(seen.shape, dtype=torch.bool).tril()
            plain = one.branches - one.start
            assert torch.equal(seen[:plain], causal[:plain])
            assert torch.equal(tree.visible(row, one.branches, one), seen[plain:])
        assert torch.equal(whole, tree.visible(row))
        assert [extents[0].start, *(one.end for one in extents)] == [*(one.start for one in extents), len(row.tokens)]
