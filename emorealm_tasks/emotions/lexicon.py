"""Words that name or show one of the seven emotions: our own lexicon, grouped by published taxonomies.

Lists are strings of words, spaces between them; an underscore joins the words of a phrase.

Each family has two ranks. *Names* are words for the feeling itself; *signs* are what it looks and sounds like, and
words that lean to it without naming it. A sign counts only where no name is asserted (`emorealm_tasks.emotions`).

Sources of the groups, by family:

- happiness, sadness, anger, fear, surprise: the word clusters of Shaver, Schwartz, Kirson and O'Connor (1987), Emotion
  knowledge, J. Pers. Soc. Psychol. 52(6), also known as Parrott's (2001) tree. Love's cluster is put with happiness.
  "distress" goes to sadness after Izard (1977, distress-anguish), "shock" to surprise with "shocked", its participle.
- disgust: the same tree's cluster of disgust and contempt, "loathing" after Plutchik (1980).
- neutral: Russell's (1980) circumplex, low arousal without valence; "calm" because RAVDESS adds it as a second neutral
  baseline (Livingstone and Russo 2018). "pensive" is with "thoughtful", its synonym ("deeply or seriously thoughtful",
  WordNet 3.1): being deep in thought has no valence.
- signs: the expressions that Ekman and Friesen (1975, Unmasking the Face) and Scherer (2003, vocal communication of
  emotion) describe for each emotion; "relaxed" and "pleasant" lean to the pleasant side of Russell's circumplex.

Words of no family are left out on purpose: boredom, confusion, tiredness, interest, determination, sarcasm.
"""

from dataclasses import dataclass
from pathlib import Path

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import brief, read_yaml


@dataclass(frozen=True)
class Family:
    """The words of one emotion, separated by spaces, all inflections spelled out."""

    names: str
    """Names of the feeling ("sad")."""
    signs: str
    """Signs of it ("crying"), which count less."""


FAMILIES: dict[str, Family] = {
    "happiness": Family(
        names="""happiness happy happier happiest happily joy joys joyful joyfully joyous overjoyed enjoyment enjoy
        enjoys enjoying enjoyed delight delights delighted delightful glad gladness gleeful glee cheerful cheerfully
        cheerfulness cheery cheer jolly jovial merry amusement amused amusing bliss blissful elation elated euphoria
        euphoric ecstasy ecstatic exhilaration exhilarated excitement excited excitedly enthusiasm enthusiastic
        thrilled thrill jubilation jubilant satisfaction satisfied gratified contentment contented content pleasure
        pleased proud pride triumph triumphant optimism optimistic hopeful relief relieved loving affection
        affectionate tenderness adoration fondness playful playfulness upbeat good_mood high_spirits
        positive_emotion positive_emotions""",
        signs="""smile smiles smiling smiled smiley grin grins grinning grinned laugh laughs laughing laughed
        laughter chuckle chuckles chuckling chuckled giggle giggles giggling giggled beaming beams pleasant
        pleasantly relaxed warm lively friendly lighthearted light-hearted clapping applauding""",
    ),
    "sadness": Family(
        names="""sadness sad sadder saddest sadly saddened saddening sorrow sorrowful sorrowfully grief grieving
        grieve grieves unhappiness unhappy unhappily misery miserable despair despairing desperate despondent
        despondency hopelessness hopeless melancholy melancholic depression depressed depressing gloom gloomy glum
        dejection dejected downcast heartbroken heartbreak heartache woe woeful mournful mourning anguish anguished
        agony suffering hurt disappointment disappointed dismay dismayed disheartened discouraged regret regretful
        remorse remorseful guilt guilty shame ashamed humiliation humiliated embarrassment embarrassed loneliness
        lonely homesick dispirited defeated upset distress distressed sympathy pity feeling_down""",
        signs="""cry cries crying cried weep weeps weeping wept sob sobs sobbing sobbed tear tears tearful teary
        tearing_up whimper whimpers whimpering wail wails wailing sigh sighs sighing frown frowns frowning pout
        pouting slumped discomfort quiver quivers quivering quivered somber sombre""",
    ),
    "neutral": Family(
        names="""neutral neutrality neutrally calm calmly calmness composed composure tranquil tranquility serene
        serenity unemotional emotionless expressionless impassive impassively deadpan poker-faced indifferent
        indifference unconcerned unmoved matter-of-fact""",
        signs="""normal normally focused focus focussed concentrated concentrating attentive thoughtful
        pensive unaffected collected even-tempered steady stoic stoical monotone ordinary undisturbed""",
    ),
    "anger": Family(
        names="""anger angry angrier angriest angrily angered enraged rage rages raging fury furious furiously
        infuriated irate ire livid outrage outraged wrath wrathful mad hostile hostility aggression aggressive
        aggressively annoyance annoyed annoying irritation irritated irritable irritably frustration frustrated
        frustrating exasperation exasperated aggravation aggravated agitation agitated resentment resentful
        bitterness bitter hatred hate hateful hates indignation indignant vengeful vengefulness spite spiteful
        displeased displeasure grumpy grouchy jealousy jealous envy envious fed_up""",
        signs="""yell yells yelling yelled shout shouts shouting shouted scowl scowls scowling glare glares glaring
        snarl snarls snarling growl growls growling furrowed clenched gritted stern sternly serious confrontational
        argumentative arguing threatening menacing""",
    ),
    "surprise": Family(
        names="""surprise surprises surprised surprising astonishment astonished astonishing amazement amazed
        amazing shock shocks shocked shocking startle startled startles startling stunned astounded dumbfounded
        flabbergasted bewildered bewilderment wonder wonderment awe awestruck disbelief taken_aback caught_off_guard""",
        signs="""gasp gasps gasping gasped speechless incredulous unexpected wow raised_brows raised_eyebrows
        dropped_jaw jaw_dropped jaw_drops""",
    ),
    "disgust": Family(
        names="""disgust disgusts disgusted disgusting disgustedly disgustful revulsion revolted revolting repulsion
        repulsed repulsive repugnance repugnant loathing loathe loathes distaste distasteful aversion averse
        abhorrence contempt contemptuous contemptuously scorn scornful disdain disdainful nausea nauseated nauseous
        sickened sickening grossed_out dislike dislikes disliked""",
        signs="""unpleasant unpleasantly disapproval disapproving grimace grimaces grimacing gag gags gagging gross
        yuck eww wrinkled_nose wrinkles_her_nose wrinkles_his_nose sneer sneers sneering""",
    ),
    "fear": Family(
        names="""fear fears fearful fearfully fearing feared afraid scared scare scary frightened fright frightening
        terror terrified terrifying terrorized horror horrified panic panicked panicking panicky panic-stricken
        dread dreading alarm alarmed anxiety anxious anxiously nervous nervously nervousness worry worries worried
        worrying worriedly apprehension apprehensive uneasiness uneasy unease petrified spooked intimidated
        threatened hysteria phobia concern concerned ill_at_ease""",
        signs="""tremble trembles trembling trembled shake shaking shaky shiver shivers shivering cower cowers
        cowering flinch flinches flinching scream screams screaming shriek shrieks shrieking tense tensed tension
        cautious wary""",
    ),
}

NEGATORS = """not no never neither nor none nothing nobody without hardly barely scarcely lack lacks lacking lacked
cannot than less rather_than instead_of absence_of devoid_of free_of free_from far_from anything_but fails_to failed_to
opposed_to"""
"""What denies a feeling that follows, beside words that end in "n't"; "than" because of "more sad than angry"."""
DENIED_AFTER = "not no never absent missing lacking"
"""What denies, with one of COPULAS before it, a feeling that went before: "happiness is absent"."""
COPULAS = "is are was were be seems appears remains"
CONTRASTS = "but however yet although though while whereas instead rather nevertheless because since"
"""Words at which a denial ends."""
NEUTRALISED = """not_only not_just not_merely not_simply nothing_but no_doubt not_without can't_help can't_help_but
cannot_help cannot_help_but none_other_than nothing_other_than more_than_just no_less no_wonder no_surprise i'm_afraid
i_am_afraid happy_to_help glad_to_help happy_to_assist glad_to_assist content_of the_content video_content"""
"""Phrases to skip: those with a negator that deny nothing, and those with an emotion's name that name none."""
WEAK = """hint_of hints_of touch_of trace_of traces_of tinge_of bit_of undertone_of undertones_of mixed_with
tinged_with slight slightly mild mildly some somewhat possibly perhaps maybe might_be may_be could_be underlying
subtle bordering_on"""
"""What makes an emotion the lesser one of several, up to the next such word."""
STRONG = """mainly mostly primarily primary predominantly predominant dominant overall main above_all especially
clearly strongest very deeply extremely"""
"""What makes an emotion the one that is asserted among several, up to the next such word."""


def read(path: Path) -> dict[str, Family]:
    """FAMILIES with those families replaced that a YAML file spells out: ``anger: {names: "...", signs: "..."}``.

    Stops where the file is none of that, or names an emotion that FAMILIES lacks.
    """
    content = read_yaml(path, dict, 'it needs lines like `anger: {names: "anger angry", signs: "frown"}`')
    try:
        families = {emotion: Family(**words) for emotion, words in content.items()}
        incomplete = [emotion for emotion, words in families.items() if not isinstance(words.names + words.signs, str)]
    except (TypeError, AttributeError) as error:
        stop(f'{path}: needs lines like `anger: {{names: "anger angry", signs: "frown"}}` ({brief(error)})')
    if unknown := [*incomplete, *(emotion for emotion in families if emotion not in FAMILIES)]:
        stop(f"{path}: {', '.join(map(str, unknown))}: known emotions are {', '.join(FAMILIES)}, their words are texts")
    return FAMILIES | families
