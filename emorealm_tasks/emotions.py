"""The seven emotion classes and their names: the one table every room reads.

Order and classes are DFEW's (labels 1 to 7), from which EmoReAlM takes its clips.
"""

EMOTIONS: tuple[str, ...] = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")

ADJECTIVES: dict[str, str] = {
    "happiness": "happy",
    "sadness": "sad",
    "neutral": "neutral",
    "anger": "angry",
    "surprise": "surprised",
    "disgust": "disgusted",
    "fear": "fearful",
}
