"""The seven emotion classes of the paper and their adjectives."""

EMOTIONS: tuple[str, ...] = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")
"""In DFEW's label order."""
ADJECTIVES: dict[str, str] = {
    "happiness": "happy",
    "sadness": "sad",
    "neutral": "neutral",
    "anger": "angry",
    "surprise": "surprised",
    "disgust": "disgusted",
    "fear": "fearful",
}
