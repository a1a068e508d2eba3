"""Words in any script: in a script without spaces, each character counts as a word. Also stems of English words; knows
no other grammar.
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
    """Return a word without its ending, if enough of it is left: usually what its forms have in common."""
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= _SHORTEST_STEM), "")
    return word.removesuffix(ending)
