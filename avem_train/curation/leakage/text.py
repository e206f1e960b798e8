"""Questions with nearly the same words: MinHash and locality-sensitive hashing find pairs, their words decide."""

from collections.abc import Iterator, Mapping

from avem_train.curation.checks.likeness import stems

_PERMUTATIONS = 128
_MISSED = 0.15
"""By how much the index looks below the wanted likeness, since MinHash only estimates it."""


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's: the words that both have among those that either has, from 0 to 1."""
    return len(one & other) / len(one | other) if one | other else 0.0


def matches(mine: Mapping[str, str], others: Mapping[str, str], least: float) -> Iterator[tuple[str, str, float]]:
    """Pairs of names whose texts are alike by `least` or more. Words count without endings, common ones do not count.

    mine, others: name -> text.
    """
    from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped]

    def hashed(words: frozenset[str]) -> MinHash:
        found = MinHash(num_perm=_PERMUTATIONS)
        found.update_batch([word.encode() for word in sorted(words)])
        return found

    index = MinHashLSH(threshold=max(least - _MISSED, 0.1), num_perm=_PERMUTATIONS)
    known = {name: stems(text) for name, text in others.items()}
    for name, words in known.items():
        index.insert(name, hashed(words))
    for name, text in mine.items():
        words = stems(text)
        for other in sorted(index.query(hashed(words))):
            if (share := likeness(words, known[other])) >= least:
                yield name, other, share
