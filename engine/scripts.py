"""Words in any script: where one writes no spaces between them, a character stands for a word. And their stems, of
English ones; knows no other grammar.
"""

import re

# Thai, Lao, Burmese, Khmer, Japanese, Chinese.
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\uff66-\uff9f"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
WORD = re.compile(rf"[{_SPACELESS}]|[^\W_{_SPACELESS}]+")
_ENDINGS = ("ing", "ed", "es", "s", "e")
_SHORTEST_STEM = 4


def stem(word: str) -> str:
    """A word without its ending, where enough of it is left: what its forms have in common, most often."""
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= _SHORTEST_STEM), "")
    return word.removesuffix(ending)
