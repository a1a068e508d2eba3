"""Language detection with py3langid. Knows nothing of rules.

The library knows 140 languages, many of them close to a larger one (Nigerian Pidgin, Galician creoles …); short
English texts are often mistaken for one of these. So only `LANGUAGES`, the widely written ones, are candidates.
Loading takes about two seconds, so it happens on first use.
"""

from functools import lru_cache
from typing import Protocol, cast

_CODES = (
    "ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv mk mr ms nl no pl pt ro ru sk sl sq sr "
    "sv sw ta te th tr uk ur vi zh"
)
LANGUAGES = frozenset(_CODES.split())
# Fewer letters than this cannot distinguish languages: «RISK SCORE: 3.» looks more Danish than English.
MIN_LETTERS = 20
CERTAIN = 0.9


class _Identifier(Protocol):
    def rank(self, text: str) -> list[tuple[str, float]]: ...


@lru_cache(maxsize=1)
def _identifier() -> _Identifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return cast("_Identifier", LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True))


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
