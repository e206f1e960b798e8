"""The words of the mini benchmark: every sentence a question, an option or a training answer can have."""

import re

import numpy as np

from emorealm_tasks.mini.world.cues import BY_NAME, FEELINGS, PLURAL

BASIC = {
    "video": (
        "What does the person's appearance indicate about their emotional state in the video?",
        "How does what is seen contribute to the overall feeling in the scene?",
        "Which visual cue explains the emotion of the person in the video?",
        "What in the picture reveals how the person feels?",
    ),
    "audio": (
        "In what way does the sound impact the emotional expression in the video?",
        "How does what is heard reflect the emotional state of the person?",
        "Which audio cue explains the emotion of the person in the video?",
        "What in the sound reveals how the person feels?",
    ),
}
CLAIMS = tuple("{cue} " + verb + "{s} {feeling}." for verb in ("show", "convey", "reveal", "suggest"))
STRESS = {
    "video": (
        "Does the sight of {cue} suggest {feeling} of the person in the video?",
        "Is the presence of {cue} a factor in conveying the {feeling} of the person?",
        "{Does} {cue} contribute to the {feeling} experienced by the person in the video?",
        "{Is} {cue} a sign of the {feeling} of the person?",
    ),
    "audio": (
        "Does the sound of {cue} suggest {feeling} of the person in the video?",
        "Is the presence of {cue} crucial to the {feeling} conveyed by the person?",
        "{Does} {cue} in the audio enhance the {feeling} conveyed in the video?",
        "Is hearing {cue} a sign of the {feeling} of the person?",
    ),
}
AGREEMENT = (
    "Do the audio and video modalities align for the expression of {feeling} of the person in the video?",
    "Do the visual elements of the video align with the audio in conveying the {feeling} of the person?",
    "Do the audio and video convey the same emotional state of {feeling}?",
    "Does the audio suggest the same {feeling} as the video?",
)
LETTERS = "ABCD"


def phrase(rng: np.random.Generator, cue: str) -> str:
    """One of a cue's noun phrases."""
    return str(rng.choice(BY_NAME[cue].phrases))


def feeling(rng: np.random.Generator, emotion: str) -> str:
    """One of an emotion's nouns."""
    return str(rng.choice(FEELINGS[emotion]))


def filled(template: str, words: str, cue: str, noun: str) -> str:
    """The template with the cue's words, the emotion's noun, and verbs in the cue's number."""
    plural = cue in PLURAL
    return template.format(
        cue=words,
        feeling=noun,
        s="" if plural else "s",
        Does="Do" if plural else "Does",
        Is="Are" if plural else "Is",
        are="are" if plural else "is",
    )


def sentence(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[0].upper() + text[1:]


def claim(rng: np.random.Generator, cue: str, emotion: str) -> str:
    """Sentence that explains an emotion by a cue."""
    return sentence(filled(str(rng.choice(CLAIMS)), phrase(rng, cue), cue, feeling(rng, emotion)))


def basic_stem(rng: np.random.Generator, modality: str) -> str:
    """Question of the Basic task; never names the emotion (Section 3.1)."""
    return str(rng.choice(BASIC[modality]))


def stress_stem(rng: np.random.Generator, modality: str, cue: str, emotion: str) -> str:
    """Question of the stress test: does the cue suggest the emotion?"""
    return filled(str(rng.choice(STRESS[modality])), phrase(rng, cue), cue, feeling(rng, emotion))


def agreement_stem(rng: np.random.Generator, emotion: str) -> str:
    """Question of the Modality Agreement task."""
    return str(rng.choice(AGREEMENT)).format(feeling=feeling(rng, emotion))


def paraphrases(question: str) -> list[str]:
    """The other wordings of a question of this world, about the same cue and feeling; [] for another question."""
    for templates in (BASIC["video"], BASIC["audio"], STRESS["video"], STRESS["audio"], AGREEMENT):
        for template in templates:
            pattern = re.escape(template).replace(r"\{", "{").replace(r"\}", "}")
            named = {"cue": "(?P<cue>.+)", "feeling": "(?P<feeling>.+)", "Does": "(?:Do|Does)", "Is": "(?:Is|Are)"}
            if found := re.fullmatch(pattern.format(**named), question):
                cue, noun = found.groupdict().get("cue", ""), found.groupdict().get("feeling", "")
                name = next((one.name for one in BY_NAME.values() if cue in one.phrases), "")
                return [filled(other, cue, name, noun) for other in templates if other != template]
    return []


def cue_in(text: str, modality: str) -> str:
    """The cue of a modality that a question or an option names; "" where it names none."""
    words = text.lower()
    named = [(len(one), cue.name) for cue in BY_NAME.values() if cue.modality == modality for one in cue.phrases
             if one in words]  # fmt: skip
    return max(named)[1] if named else ""


def lettered(options: list[str]) -> list[str]:
    """Options in the released form: "(A) ...", "(B) ..."."""
    return [f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False)]


ONE_WORD = "Describe the emotion of the person in the video in one word."
"""As released for emotion recognition."""
DESCRIBE = "Describe the emotion of the person in the video in detail."

CAPTION = {"video": "List what is seen in the video.", "audio": "List what is heard in the video."}

PRESENT = {"video": "Which of these are seen in the video?", "audio": "Which of these are heard in the video?"}


def caption(words: list[str], matters: str) -> str:
    """Everything present, and what the person reacts to ("" for nothing)."""
    reaction = f"The person reacts to {matters}." if matters else "The person reacts to none of it."
    return f"{sentence(', '.join(words))}. {reaction}"


def presence(rng: np.random.Generator, modality: str, cue: str) -> str:
    """Statement that a cue is there."""
    sense = {"video": "seen", "audio": "heard"}[modality]
    return sentence(f"{phrase(rng, cue)} {'are' if cue in PLURAL else 'is'} {sense}.")


def conveyed(rng: np.random.Generator, what: str, emotion: str) -> str:
    """Statement that the video, the audio or both convey an emotion."""
    return f"Both convey {feeling(rng, emotion)}." if what == "both" else f"The {what} conveys {feeling(rng, emotion)}."


def verdict(rng: np.random.Generator, cue: str, emotion: str, subtask: str) -> str:
    """Answer in a sentence to a stress question, with its reason."""
    words = phrase(rng, cue)
    templates = {
        "no_hallucination": "Yes, {cue} convey{s} {feeling}.",
        "spurious": "No, {cue} {are} merely there.",
        "hallucination": "No, {cue} {are} absent.",
    }
    return filled(templates[subtask], words, cue, feeling(rng, emotion))


def comparison(rng: np.random.Generator, video: str, audio: str) -> str:
    """Answer in a sentence to an agreement question."""
    if video == audio:
        return f"Yes, both convey {feeling(rng, video)}."
    return f"No, the video conveys {feeling(rng, video)} and the audio {feeling(rng, audio)}."


def description(
    rng: np.random.Generator, video: str, audio: str, seen_phrases: list[str], heard_phrases: list[str]
) -> str:
    """A description in two sentences: what is seen and heard, and what it conveys."""
    return (
        f"The picture conveys {feeling(rng, video)}: {' and '.join(seen_phrases)}. "
        f"The sound conveys {feeling(rng, audio)}: {' and '.join(heard_phrases)}."
    )
