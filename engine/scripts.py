"""Words in any script: where one writes no spaces between them, a character stands for a word. Knows no grammar."""

import re

# Thai, Lao, Burmese, Khmer, Japanese, Chinese.
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\uff66-\uff9f"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
WORD = re.compile(rf"[{_SPACELESS}]|[^\W_{_SPACELESS}]+")
