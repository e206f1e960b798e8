"""The strict reading of a reply: the letter that a careful human reader takes it to answer, or None.

A reply is scanned for *claims* on a letter: option letters, yes/no words (where the choices are yes and no) and full
choice texts. A claim may be negated ("not B", "B is wrong"), alone on its line, declared ("the answer is B", "B is
correct") or a revision ("actually, B", "so B"). These are ranks: a revision outranks a declaration, a declaration a
claim on a line of its own, and that a mere mention. The claims of the highest rank decide: the last revision, or else
the letter on which all of them agree. If they disagree the result is None.

A reply that ends inside the text of exactly one option was cut off there, and answers that option. All passes are
linear in the length of the reply: a model that loops writes hundreds of thousands of characters.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from emorealm_tasks.answers import thinking

_FAILURE = re.compile(r"\s*\[(?:lmms_eval_\w+|[a-z_]*(?:failed|blocked|exceeded|error)\b)", re.IGNORECASE)
_MARKUP = re.compile(r"<\|\w+\|>|</\w+>|<(?:s|unk|pad|bos|eos|b|i)>|[*_`~#]", re.IGNORECASE)

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
_FILLER = frozenset(
    (
        *("it", "that", "is", "s", "should", "be", "would", "must", "the", "my", "most", "correct", "right", "best"),
        *("final", "likely", "answer", "option", "choice", "letter", "no", "i", "think", "say", "choose", "go", "with"),
        *("text", "clearly"),
    )
)
"""Words between a phrase that declares or revises and the claim that it is about."""
_PHRASE = 32  # characters of the longest such phrase
_DECLARES = re.compile(
    r"\b(?:answer|choose|chose|pick|select|go(?:ing)? with|(?:correct|right|best) (?:option|choice))\b",
    re.IGNORECASE,
)
_REVISES = re.compile(
    r"\b(?:actually|wait|sorry|correction|i mean|rather|scratch that|make that|on second thought|instead|therefore"
    r"|thus|hence|so|conclusion|final(?:ly)?|boxed)\b",
    re.IGNORECASE,
)
_CONFIRMED_AFTER = re.compile(
    r"[^\w.!?\n]*(?:is|seems|would be)\s+(?:clearly\s+)?(?:the\s+)?(?:most\s+)?(?:correct|right|best|answer)\b",
    re.IGNORECASE,
)
_LIST_SEPARATOR = re.compile(r"[^\w.!?\n]*(?:(?:or|and|nor)\b[^\w.!?\n]*)?", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_LEAD_IN = re.compile(
    r"(?:\W*\b(?:the|my|most|correct|right|best|final|likely|answer|option|choice|is|would|be|i|think|choose)\b)*\W*",
    re.IGNORECASE,
)
_LEAST_CUT = 3  # letters of an option's text that stand for it
_MENTIONED, _LETTER_ALONE, _DECLARED, _REVISED = range(4)


@dataclass(frozen=True)
class _Claim:
    """A place in the reply that speaks of an option."""

    start: int
    """Index of its first character."""
    end: int
    """Index behind its last character."""
    letter: str
    """The option's."""
    is_letter: bool
    """Whether the letter itself stands there, not the text of the option."""


def read(prediction: str, options: dict[str, str], yes_no: dict[str, str]) -> str | None:
    """The letter that a reply answers, or None.

    ``options`` maps upper-case letters to choice texts, ``yes_no`` maps "yes" and "no" to letters (empty for other
    choices). A failure mark of lmms-eval ("[LMMS_EVAL_REQUEST_FAILED ...") gives None.
    """
    if _FAILURE.match(prediction):
        return None
    text = _clean(prediction)
    if not yes_no:
        text = re.sub(r"\bno\b(?=\s*[,.!;—–])", "wait", text, flags=re.IGNORECASE)  # "A... no, C" takes A back
    if not yes_no and (begun := _cut_off(text, options)):
        return begun
    claims = _claims(text, options, yes_no)
    texts_before = _texts_before(text, claims)
    denied = _denied(text, claims, texts_before)
    asserted = [number for number, no in enumerate(denied) if not no]
    if not asserted:
        return None
    ends = [match.start() for match in re.finditer("\n", text)]
    ranks = [_rank(text, claims[number], texts_before[number], ends) for number in asserted]
    top = max(ranks)
    breaths = _breaths(text, [claims[number] for number in asserted])
    counting = [breath for breath, rank in zip(breaths, ranks, strict=True) if rank == top]
    if top == _REVISED:
        counting = counting[-1:]
    counted_breaths = set(counting)
    letters = {
        claims[number].letter for number, breath in zip(asserted, breaths, strict=True) if breath in counted_breaths
    }
    only = letters.pop() if len(letters) == 1 else None
    return only if only in options else None


def _clean(prediction: str) -> str:
    text = _MARKUP.sub(" ", thinking.without(unicodedata.normalize("NFKC", prediction)))
    return re.sub(r"[^\S\n]+", " ", text).strip()


def _claims(text: str, options: dict[str, str], yes_no: dict[str, str]) -> list[_Claim]:
    """All claims in order; those inside a longer claim are dropped, neighbours on the same letter become one."""
    candidates = [*_text_claims(text, options), *_letter_claims(text, options)]
    for word, pattern in (("yes", _YES), ("no", _NO)):
        if word in yes_no:
            matches = re.finditer(rf"(?<!\w){pattern}", text, re.IGNORECASE)
            candidates += [_Claim(m.start(), m.end(), yes_no[word], False) for m in matches]
    candidates.sort(key=lambda claim: (claim.start - claim.end, claim.start))
    claims: list[_Claim] = []
    covered = bytearray(len(text))
    for claim in candidates:
        if covered.find(1, claim.start, claim.end) < 0:
            covered[claim.start : claim.end] = b"\1" * (claim.end - claim.start)
            claims.append(claim)
    return _merge(text, sorted(claims, key=lambda claim: claim.start))


def _letter_claims(text: str, options: dict[str, str]) -> list[_Claim]:
    """Letters that stand alone, also those that are no option: "E" among A-D is a claim that counts against A-D."""
    claims = []
    for letter in sorted({*"ABCDEFGH", *options}):
        alone_pattern = _LETTER.format(letter)
        patterns = [alone_pattern]
        if letter in "AI":
            patterns = [
                alone_pattern + _ENDS,
                _OPTION_WORD + alone_pattern,
                rf"[(\[{{<\"'“‘]\s?{letter}\s?[)\]}}>\"'”’]",
            ]
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
        claims += [_Claim(m.start(), m.end(), letter, False) for m in _compiled(pattern).finditer(text)]
    return claims


@lru_cache(maxsize=1 << 14)
def _compiled(pattern: str) -> re.Pattern[str]:
    """A choice's pattern: a benchmark has thousands, more than `re` remembers."""
    return re.compile(pattern, re.IGNORECASE)


def _merge(text: str, claims: list[_Claim]) -> list[_Claim]:
    merged: list[_Claim] = []
    for claim in claims:
        last = merged[-1] if merged else None
        if last and last.letter == claim.letter and re.fullmatch(r"\W*", text[last.end : claim.start]):
            merged[-1] = _Claim(last.start, claim.end, last.letter, last.is_letter)
        else:
            merged.append(claim)
    return merged


def _texts_before(text: str, claims: Sequence[_Claim]) -> list[str]:
    """The text between each claim and the one before it."""
    ends = [0, *(claim.end for claim in claims)]
    return [text[end : claim.start] for end, claim in zip(ends, claims, strict=False)]


def _denied(text: str, claims: Sequence[_Claim], texts_before: Sequence[str]) -> list[bool]:
    denied: list[bool] = []
    for i, claim in enumerate(claims):
        clause = _CLAUSE_END.split(texts_before[i])[-1]
        inherits = i > 0 and denied[-1] and re.fullmatch(r"\W*(?:or|and)\W*", clause, re.IGNORECASE)
        absent = not claim.is_letter and _NONE_OF_IT.search(clause)  # "no laughter", where laughter is a choice
        denied.append(bool(inherits or absent or _NEGATOR.search(clause) or _DENIED_AFTER.match(text, claim.end)))
    return denied


def _rank(text: str, claim: _Claim, text_before: str, ends: Sequence[int]) -> int:
    """How much a claim counts. ends: where the lines of the text end."""
    if _leads_up(_REVISES, text_before):
        return _REVISED
    if _leads_up(_DECLARES, text_before) or _CONFIRMED_AFTER.match(text, claim.end):
        return _DECLARED
    line = bisect_left(ends, claim.start)
    begins = ends[line - 1] + 1 if line else 0
    following = bisect_left(ends, claim.end)
    stops = ends[following] if following < len(ends) else len(text)
    beside = _WORD.search(text, begins, claim.start) or _WORD.search(text, claim.end, stops)
    return _MENTIONED if beside else _LETTER_ALONE


def _leads_up(phrase: re.Pattern[str], text_before: str) -> bool:
    """Whether one of the phrases stands before a claim, with nothing but fillers between the two."""
    fillers = 0
    for word in reversed(list(_WORD.finditer(text_before))):
        if word[0].lower() not in _FILLER:
            fillers = word.end()
            break
    return any(match.end() >= fillers for match in phrase.finditer(text_before, max(0, fillers - _PHRASE)))


def _breaths(text: str, asserted: Sequence[_Claim]) -> list[int]:
    """For each claim the number of the breath it is made in ("A or B", "(C) text of another option")."""
    breaths = [0]
    for first, second in pairwise(asserted):
        breaths.append(breaths[-1] + (not _in_one_breath(text[first.end : second.start], second)))
    return breaths


def _cut_off(text: str, options: dict[str, str]) -> str | None:
    """The letter of the only option whose text goes on where the reply ends; None where that is not how it ends."""
    longest = max(map(len, options.values()), default=0)
    for reply in (text, text[_LEAD_IN.match(text[: 4 * longest + 200]).end() :]):  # type: ignore[union-attr]  # it always matches
        words = _bare(reply[: 2 * longest + 50])
        if len(reply) > 2 * longest + 50 or sum(map(len, words)) < _LEAST_CUT or re.search(r"[.!?]\W*$", reply):
            continue
        texts = {letter: _bare(choice) for letter, choice in options.items()}
        begun = [letter for letter, option_words in texts.items() if _begins(option_words, words)]
        if len(begun) == 1 and words not in texts.values():
            return begun[0]
    return None


def _bare(text: str) -> list[str]:
    """The words of a text, without an article in front."""
    words: list[str] = _WORD.findall(text.lower())
    return words[1:] if words[:1] in (["a"], ["an"], ["the"]) else words


def _begins(option_words: Sequence[str], words: Sequence[str]) -> bool:
    """Whether words are how the whole begins; the last one may be cut."""
    last = len(words) - 1
    return (
        last < len(option_words)
        and list(option_words[:last]) == list(words[:last])
        and option_words[last].startswith(words[last])
    )


def _in_one_breath(gap: str, right: _Claim) -> bool:
    """Whether only "or", "and" or marks lie between two claims; a letter after a full stop starts a new sentence."""
    return bool(_LIST_SEPARATOR.fullmatch(gap) or (not right.is_letter and not re.search(r"\w", gap)))
