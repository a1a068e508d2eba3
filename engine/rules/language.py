"""Language detection with py3langid. Knows nothing of rules.

The library knows 140 languages, many of them close to a larger one (Nigerian Pidgin, Galician creoles …); short
English texts are often mistaken for one of these. So only `LANGUAGES`, the widely written ones, are candidates.
Loading takes about two seconds, so it happens on first use.
"""

from functools import lru_cache
from typing import Protocol, cast

NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian",
    "mr": "Marathi", "ms": "Malay", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian",
    "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian",
    "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
LANGUAGES = frozenset(NAMES)
# Fewer letters than this cannot distinguish languages: “RISK SCORE: 3.” looks more Danish than English.
MIN_LETTERS = 20
CERTAIN = 0.9


class _Identifier(Protocol):
    def rank(self, text: str) -> list[tuple[str, float]]: ...


@lru_cache(maxsize=1)
def _identifier() -> _Identifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return cast("_Identifier", LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True))


def language_name(code: str) -> str:
    """The English name of a language; its code if the name is unknown."""
    return NAMES.get(code, code)


def other_language(text: str, code: str) -> str | None:
    """The language of `text` if it is not `code`; None if it is, or if there is not enough evidence against it.

    With fewer than `MIN_LETTERS` letters, another language counts only if its probability is at least `CERTAIN`.
    """
    ranked = [(label, share) for label, share in _identifier().rank(text) if label in LANGUAGES]
    best, share = ranked[0]
    if best == code or (is_short(text) and share < CERTAIN):
        return None
    return best


def is_short(text: str) -> bool:
    """Whether the text has too few letters to detect its language."""
    return sum(character.isalpha() for character in text) < MIN_LETTERS
