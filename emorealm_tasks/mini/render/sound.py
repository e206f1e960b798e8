"""Synthesises a clip's sound: a wordless voice whose prosody carries the voice cues, non-speech sounds, and background
sounds, one after another; where the person reacts to a background sound, the voice yelps right after it.
"""

import numpy as np
from numpy.typing import NDArray

from emorealm_tasks.mini.world.sampling import Clip

RATE = 16_000
"""Samples a second."""
LENGTHS = (3.0, 3.8)
"""Shortest and longest clip, seconds."""
EVENT_SECONDS, BACKGROUND_SECONDS, YELP_SECONDS = 0.62, 0.45, 0.28

Signal = NDArray[np.float64]
"""float, shape (samples,), in [-1, 1] unless said otherwise."""


def _time(seconds: float) -> Signal:
    return np.arange(round(seconds * RATE)) / RATE


def _swell(t: Signal, edge: float = 0.02) -> Signal:
    """Envelope that is 1 but for short ramps at both ends (edge in seconds)."""
    length = len(t) / RATE
    return np.clip(np.minimum(t, length - t) / edge, 0, 1)


def _tone(frequency: Signal, harmonics: int, tilt: float = 1.0) -> Signal:
    """Harmonic tone; frequency in Hz for each sample, amplitude of harmonic k is k**-tilt."""
    phase = 2 * np.pi * np.cumsum(frequency) / RATE
    parts = [np.sin(k * phase) * k**-tilt * (k * frequency < RATE / 2.2) for k in range(1, harmonics + 1)]
    summed: Signal = np.sum(parts, axis=0) / np.sum(np.arange(1, harmonics + 1) ** -tilt)
    return summed


def _noise(rng: np.random.Generator, samples: int, low: float, high: float) -> Signal:
    """Band-limited noise (Hz) with unit peak."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequencies = np.fft.rfftfreq(samples, 1 / RATE)
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    signal = np.fft.irfft(spectrum, samples)
    levelled: Signal = signal / (np.abs(signal).max() + 1e-9)
    return levelled


def _glide(t: Signal, *frequencies: float) -> Signal:
    """Frequency that moves through the given values at equal distances, Hz for each sample."""
    return np.interp(t, np.linspace(0, len(t) / RATE, len(frequencies)), frequencies)


def _laughter(rng: np.random.Generator, t: Signal) -> Signal:
    return 0.6 * _tone(_glide(t, 340, 260), 8) * np.clip(np.sin(2 * np.pi * 6.5 * t), 0, 1) ** 0.5


def _sobbing(rng: np.random.Generator, t: Signal) -> Signal:
    beat = (t * 4.8) % 1.0
    inhale = _noise(rng, len(t), 1500, 5000) * (beat < 0.35)
    moan = _tone(280 - 100 * beat, 5) * (beat >= 0.4) * (1 - beat)
    return 0.35 * inhale + 0.8 * moan


def _hum(rng: np.random.Generator, t: Signal) -> Signal:
    return 0.5 * _tone(np.full_like(t, 130.0), 3, 2.0)


def _growl(rng: np.random.Generator, t: Signal) -> Signal:
    rough = np.sign(np.sin(2 * np.pi * 28 * t)) * 0.5 + 0.5
    return 0.7 * rough * (_tone(np.full_like(t, 75.0), 14, 0.5) + 0.5 * _noise(rng, len(t), 100, 900))


def _gasp(rng: np.random.Generator, t: Signal) -> Signal:
    rise = np.clip(t / 0.4, 0, 1) ** 2 * (t < 0.42)
    return 0.7 * rise * _noise(rng, len(t), 1800, 6500)


def _groan(rng: np.random.Generator, t: Signal) -> Signal:
    return 0.7 * _tone(_glide(t, 210, 190, 85), 12, 0.8) * (0.6 + 0.4 * np.sin(2 * np.pi * 22 * t))


def _scream(rng: np.random.Generator, t: Signal) -> Signal:
    return 0.8 * _tone(_glide(t, 900, 1450, 1300) * (1 + 0.02 * np.sin(2 * np.pi * 30 * t)), 4, 0.7)


def _breathing(rng: np.random.Generator, t: Signal) -> Signal:
    breath: Signal = 0.16 * np.sin(np.pi * t / t[-1]) ** 2 * _noise(rng, len(t), 300, 1600)
    return breath


def _dog_bark(rng: np.random.Generator, t: Signal) -> Signal:
    beat = t % 0.22
    return 0.7 * np.exp(-beat * 18) * (_tone(520 - 900 * beat, 6, 0.6) + 0.4 * _noise(rng, len(t), 400, 2000))


def _phone_ring(rng: np.random.Generator, t: Signal) -> Signal:
    return 0.4 * np.sin(2 * np.pi * np.cumsum(np.where((t * 22) % 1 < 0.5, 1300, 1750)) / RATE)


def _door_slam(rng: np.random.Generator, t: Signal) -> Signal:
    return 0.9 * np.exp(-t * 14) * _noise(rng, len(t), 40, 600) + 0.5 * np.exp(-t * 60) * _noise(rng, len(t), 40, 7000)


def _sonar_ping(rng: np.random.Generator, t: Signal) -> Signal:
    return 0.5 * np.exp(-t * 5) * np.sin(2 * np.pi * 2300 * t)


def _siren(rng: np.random.Generator, t: Signal) -> Signal:
    return 0.4 * _tone(_glide(t, 600, 1150, 600), 3, 1.5)


def _birdsong(rng: np.random.Generator, t: Signal) -> Signal:
    beat = (t % 0.15) / 0.15
    chirps: Signal = 0.4 * np.sin(2 * np.pi * np.cumsum(3200 + 2200 * beat) / RATE) * np.sin(np.pi * beat) ** 2
    return chirps


def _thunder(rng: np.random.Generator, t: Signal) -> Signal:
    rumble: Signal = 0.9 * np.sin(np.pi * np.clip(t / t[-1], 0, 1)) * _noise(rng, len(t), 30, 160)
    return rumble


EVENTS = {
    "laughter": _laughter,
    "sobbing": _sobbing,
    "hum": _hum,
    "growl": _growl,
    "gasp": _gasp,
    "groan": _groan,
    "scream": _scream,
    "quiet_breathing": _breathing,
}
BACKGROUNDS = {
    "dog_bark": _dog_bark,
    "phone_ring": _phone_ring,
    "door_slam": _door_slam,
    "sonar_ping": _sonar_ping,
    "siren": _siren,
    "birdsong": _birdsong,
    "thunder": _thunder,
}

CONTOURS = ("bright_voice", "falling_voice", "even_voice", "rising_voice")
# tempo cue: period of a syllable (seconds), its spread, share of the period that sounds
TEMPI = {
    "": (0.27, 0.3, 0.72),
    "quick_speech": (0.125, 0.1, 0.7),
    "slow_speech": (0.58, 0.08, 0.6),
    "clipped_speech": (0.24, 0.08, 0.24),
    "halting_speech": (0.19, 0.1, 0.7),
    "drawn_out_words": (0.95, 0.05, 0.97),
}


def _syllables(rng: np.random.Generator, seconds: float, tempo: str) -> list[tuple[float, float]]:
    """Start and end of each syllable, seconds."""
    period, spread, share = TEMPI[tempo]
    spans, start, count = [], 0.0, 0
    while start < seconds:
        length = period * (1 + rng.uniform(-spread, spread))
        spans.append((start, start + share * length))
        start += length
        count += 1
        if tempo == "halting_speech" and count % 2 == 0:
            start += 0.42
    return spans


def _pitch(rng: np.random.Generator, cue: str, base: float, spans: list[tuple[float, float]], t: Signal) -> Signal:
    """Fundamental frequency, Hz for each sample."""
    f0 = np.full_like(t, base)
    for number, (start, end) in enumerate(spans):
        inside = (t >= start) & (t < end)
        x = (t[inside] - start) / (end - start)
        if cue == "bright_voice":
            f0[inside] = base * 1.65 * (1.3 if number % 2 else 0.9) * (1 + 0.12 * np.sin(np.pi * x))
        elif cue == "falling_voice":
            f0[inside] = base * (1.15 - 0.6 * x)
        elif cue == "rising_voice":
            f0[inside] = base * (0.9 + 1.1 * x)
        elif cue != "even_voice":
            f0[inside] = base * (1 + rng.uniform(-0.16, 0.16)) * (1 + 0.06 * np.sin(2 * np.pi * x))
    return f0


def voice(rng: np.random.Generator, cue_names: tuple[str, ...], seconds: float) -> Signal:
    """The voice with the prosody that the cues in `cue_names` ask for; other names are ignored."""
    t = _time(seconds)
    tempo = next((name for name in cue_names if name in TEMPI), "")
    contour = next((name for name in cue_names if name in CONTOURS), "")
    spans = _syllables(rng, seconds, tempo)
    f0 = _pitch(rng, contour, rng.uniform(125, 205), spans, t)
    envelope = np.zeros_like(t)
    for start, end in spans:
        inside = (t >= start) & (t < end)
        envelope[inside] = np.sin(np.pi * (t[inside] - start) / (end - start)) ** 0.4
    wobble = np.sin(2 * np.pi * 7.5 * t)
    if "trembling_voice" in cue_names:
        f0 = f0 * (1 + 0.14 * wobble)
        envelope = envelope * (0.55 + 0.45 * wobble)
    if "whisper" in cue_names:
        return 0.14 * envelope * _noise(rng, len(t), 700, 5500)
    signal = _tone(f0, 12, 0.9) * envelope
    if "creaky_voice" in cue_names:
        signal = signal * (np.sin(2 * np.pi * 38 * t) > 0.2) * 1.3
    if "shouting" in cue_names:
        return 0.75 * np.tanh(7 * signal)
    return 0.42 * signal


def _items(rng: np.random.Generator, clip: Clip) -> list[Signal]:
    """Everything but the voice, in the order in which it sounds."""
    items = [EVENTS[name](rng, _time(EVENT_SECONDS)) for name in clip.heard if name in EVENTS]
    for name in clip.sounds:
        sound = BACKGROUNDS[name](rng, _time(BACKGROUND_SECONDS)) * rng.uniform(0.7, 1.0)
        if name == clip.reacts_to:
            t = _time(YELP_SECONDS)
            yelp = 0.85 * _tone(_glide(t, 380, 820, 640), 9, 0.6) * _swell(t)
            sound = np.concatenate([sound, yelp])
        items.append(sound)
    return [items[i] for i in rng.permutation(len(items))]


def synthesise(clip: Clip) -> Signal:
    """Sound of a clip: float32 (samples,) at RATE, in [-1, 1], LENGTHS seconds long. Same clip, same samples."""
    rng = np.random.default_rng([clip.seed, 1])
    signal = np.zeros(round(rng.uniform(*LENGTHS) * RATE))
    items = _items(rng, clip)
    spare = len(signal) - sum(map(len, items))
    gaps = (rng.dirichlet(np.full(len(items) + 1, 4.0)) * spare).astype(int)
    speaking = np.ones_like(signal)
    at = 0
    for gap, item in zip(gaps, items, strict=False):
        at += gap
        signal[at : at + len(item)] += item * _swell(_time(len(item) / RATE), 0.008)
        speaking[at : at + len(item)] = 0
        at += len(item)
    ramp = np.hanning(321)
    speaking = np.convolve(speaking, ramp / ramp.sum(), mode="same") ** 2
    signal += speaking * voice(rng, clip.heard, len(signal) / RATE)
    signal += rng.uniform(0.001, 0.004) * rng.standard_normal(len(signal))
    return np.clip(signal, -1, 1).astype(np.float32)
