"""The strict reading of a reply: what a careful human reader takes it to answer, or nothing.

A reply is scanned for *claims* on a letter: option letters, yes/no words (where the choices are yes and no) and full
choice texts. A claim may be negated ("not B", "B is wrong"), alone on its line, declared ("the answer is B", "B is
correct") or a revision ("actually, B", "so B"). Revisions outrank declarations, these a claim on a line of its own,
and that a mere mention; at the rank that counts, all claims must agree, except that the last revision wins. Otherwise
there is no answer.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

_FAILURE = re.compile(r"\s*\[(?:lmms_eval_\w+|[a-z_]*(?:failed|blocked|exceeded|error)\b)", re.IGNORECASE)
_MARKUP = re.compile(r"<\|\w+\|>|</\w+>|<(?:s|unk|pad|bos|eos|b|i)>|[*_`~#]", re.IGNORECASE)
_THOUGHT = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL | re.IGNORECASE)

# After the article "a" (or the pronoun "I") comes a word; after the letter comes an end, a mark or one of these.
_NO_NOUN = r"(?:because|since|as|and|or|nor|but|is|was|not|then|which|due|given|for|it|instead|[a-h])\b"
_ENDS = r"(?=\s*(?:$|[\n—–])|[.,:;!?)\]}>\"'’”/…](?!\w)|\s+[-:.]+\s|/\w|\s+" + _NO_NOUN + ")"
_OPTION_WORD = r"\b(?:option|choice|letter)\W{1,3}"
_LETTER = r"(?<![\w.])(?<!\w['’]){}(?!\w|['’]\w|\.\w|-\w)"

_YES = r"(?:yes|yeah|yep|yup)\b"
# "no" before a noun is a determiner ("no speech", "no doubt"), not an answer.
_NO = (
    r"(?:nope\b|nah\b|(?<=yes or )no\b|(?<=yes and )no\b|(?<=yes/)no\b|no(?=\W*$|[.,;:!?)\]}>\"'’”/…]|\s*[\n—–]|\s+-\s"
    r"|\s+(?:they|it|he|she|there|this|that|the|because|since|as|i|we|both|actually|wait|way|not|and|or|but)\b))"
)

_NEGATOR = re.compile(
    r"\b(?:not|never|neither|nor|cannot|rather than|instead of|unlike|except|rules? out|ruled out|exclud\w+"
    r"|eliminat\w+)\b|n['’]t\b",
    re.IGNORECASE,
)
_NONE_OF_IT = re.compile(r"\b(?:no|without)\s+$", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[.,;:!?\n]|\b(?:but|so|thus|therefore|hence)\b", re.IGNORECASE)
_DENIED_AFTER = re.compile(
    r"[^\w.!?\n]*(?:(?:is|was|are|were|does|do|would|could|can)(?:n['’]t|\s+not)\b|cannot\b|can['’]t\b"
    r"|(?:is|was|seems|would be)\s+(?:\w+\s+)?(?:wrong|incorrect|false|absent|unlikely|excluded|ruled out)\b)",
    re.IGNORECASE,
)
_FILLER = (
    r"(?:\W|\b(?:it|it['’]s|that|is|s|should|be|would|must|the|my|most|correct|right|best|final|likely|answer|option"
    r"|choice|letter|no|i|think|say|choose|go|with|text|clearly)\b)*$"
)
_DECLARES = re.compile(
    r"\b(?:answer|choose|chose|pick|select|go(?:ing)? with|(?:correct|right|best) (?:option|choice))\b" + _FILLER,
    re.IGNORECASE,
)
_REVISES = re.compile(
    r"\b(?:actually|wait|sorry|correction|i mean|rather|scratch that|make that|on second thought|instead|therefore"
    r"|thus|hence|so|conclusion|final(?:ly)?|boxed)\b" + _FILLER,
    re.IGNORECASE,
)
_CONFIRMED_AFTER = re.compile(
    r"[^\w.!?\n]*(?:is|seems|would be)\s+(?:clearly\s+)?(?:the\s+)?(?:most\s+)?(?:correct|right|best|answer)\b",
    re.IGNORECASE,
)
_JOINED = re.compile(r"[^\w.!?\n]*(?:(?:or|and|nor)\b)?[^\w.!?\n]*", re.IGNORECASE)
_MENTIONED, _ALONE, _DECLARED, _REVISED = range(4)


@dataclass(frozen=True)
class _Claim:
    """Characters ``start:end`` of the reply speak of ``letter``; ``is_letter`` where the letter itself stands there."""

    start: int
    end: int
    letter: str
    is_letter: bool


def read(prediction: str, options: dict[str, str], yes_no: dict[str, str]) -> str | None:
    """The letter that a reply answers, or None.

    ``options`` maps upper-case letters to choice texts, ``yes_no`` maps "yes" and "no" to letters (empty where the
    choices are no yes and no). Failure marks of lmms-eval ("[LMMS_EVAL_REQUEST_FAILED ...") are no answer.
    """
    if _FAILURE.match(prediction):
        return None
    text = _clean(prediction)
    if not yes_no:
        text = re.sub(r"\bno\b(?=\s*[,.!;—–])", "wait", text, flags=re.IGNORECASE)  # "A... no, C" takes A back
    claims = _claims(text, options, yes_no)
    denied = _denied(text, claims)
    asserted = [claim for claim, no in zip(claims, denied, strict=True) if not no]
    if not asserted:
        return None
    ranks = [_rank(text, claims, claim) for claim in asserted]
    top = max(ranks)
    groups = [_group(text, asserted, i) for i, rank in enumerate(ranks) if rank == top]
    if top == _REVISED:
        groups = groups[-1:]
    letters = set().union(*groups)
    only = letters.pop() if len(letters) == 1 else None
    return only if only in options else None


def _clean(prediction: str) -> str:
    text = _MARKUP.sub(" ", _THOUGHT.sub(" ", unicodedata.normalize("NFKC", prediction)))
    return re.sub(r"[^\S\n]+", " ", text).strip()


def _claims(text: str, options: dict[str, str], yes_no: dict[str, str]) -> list[_Claim]:
    """All claims in order; those inside a longer claim are dropped, neighbours on the same letter become one."""
    found = [*_text_claims(text, options), *_letter_claims(text, options)]
    for word, pattern in (("yes", _YES), ("no", _NO)):
        if word in yes_no:
            matches = re.finditer(rf"(?<!\w){pattern}", text, re.IGNORECASE)
            found += [_Claim(m.start(), m.end(), yes_no[word], False) for m in matches]
    found.sort(key=lambda claim: (claim.start - claim.end, claim.start))
    kept: list[_Claim] = []
    for claim in found:
        if all(claim.end <= other.start or claim.start >= other.end for other in kept):
            kept.append(claim)
    return _merge(text, sorted(kept, key=lambda claim: claim.start))


def _letter_claims(text: str, options: dict[str, str]) -> list[_Claim]:
    """Letters that stand alone, also those that are no option: "E" among A-D is a claim that counts against A-D."""
    claims = []
    for letter in sorted({*"ABCDEFGH", *options}):
        alone = _LETTER.format(letter)
        patterns = [alone]
        if letter in "AI":
            patterns = [alone + _ENDS, _OPTION_WORD + alone, rf"[(\[{{<\"'“‘]\s?{letter}\s?[)\]}}>\"'”’]"]
        for pattern in patterns:
            claims += [_Claim(m.start(), m.end(), letter, True) for m in re.finditer(pattern, text, re.IGNORECASE)]
    return claims


def _text_claims(text: str, options: dict[str, str]) -> list[_Claim]:
    claims = []
    words = {letter: tuple(re.findall(r"\w+", choice.lower())) for letter, choice in options.items()}
    for letter, parts in words.items():
        bare = parts[1:] if parts[:1] in (("a",), ("an",), ("the",)) else parts
        unique = list(words.values()).count(parts) == 1
        if not bare or not unique or bare in (("yes",), ("no",)) or (len(bare) == 1 and len(bare[0]) == 1):
            continue
        pattern = r"(?<!\w)(?:(?:a|an|the)\W+)?" + r"\W+".join(map(re.escape, bare)) + r"(?!\w)"
        claims += [_Claim(m.start(), m.end(), letter, False) for m in re.finditer(pattern, text, re.IGNORECASE)]
    return claims


def _merge(text: str, claims: list[_Claim]) -> list[_Claim]:
    merged: list[_Claim] = []
    for claim in claims:
        last = merged[-1] if merged else None
        if last and last.letter == claim.letter and re.fullmatch(r"\W*", text[last.end : claim.start]):
            merged[-1] = _Claim(last.start, claim.end, last.letter, last.is_letter)
        else:
            merged.append(claim)
    return merged


def _before(text: str, claims: list[_Claim], claim: _Claim) -> str:
    """The text between the claim and the one before it."""
    return text[max((other.end for other in claims if other.end <= claim.start), default=0) : claim.start]


def _denied(text: str, claims: list[_Claim]) -> list[bool]:
    denied: list[bool] = []
    for i, claim in enumerate(claims):
        clause = _CLAUSE_END.split(_before(text, claims, claim))[-1]
        inherits = i > 0 and denied[-1] and re.fullmatch(r"\W*(?:or|and)\W*", clause, re.IGNORECASE)
        absent = not claim.is_letter and _NONE_OF_IT.search(clause)  # "no laughter", where laughter is a choice
        denied.append(bool(inherits or absent or _NEGATOR.search(clause) or _DENIED_AFTER.match(text, claim.end)))
    return denied


def _rank(text: str, claims: list[_Claim], claim: _Claim) -> int:
    before = _before(text, claims, claim)
    if _REVISES.search(before):
        return _REVISED
    if _DECLARES.search(before) or _CONFIRMED_AFTER.match(text, claim.end):
        return _DECLARED
    line = text[text.rfind("\n", 0, claim.start) + 1 : claim.start] + text[claim.end :].split("\n", 1)[0]
    return _MENTIONED if re.search(r"\w", line) else _ALONE


def _group(text: str, asserted: list[_Claim], index: int) -> set[str]:
    """The letters claimed in one breath with a claim ("A or B", "(C) text of another option")."""
    joined = [_in_one_breath(text[left.end : right.start], right) for left, right in pairwise(asserted)]
    first = last = index
    while first > 0 and joined[first - 1]:
        first -= 1
    while last < len(joined) and joined[last]:
        last += 1
    return {claim.letter for claim in asserted[first : last + 1]}


def _in_one_breath(gap: str, right: _Claim) -> bool:
    """Whether only "or", "and" or marks lie between two claims; a letter after a full stop starts a new sentence."""
    return bool(_JOINED.fullmatch(gap) or (not right.is_letter and not re.search(r"\w", gap)))
