"""API keys: found by the endpoint's host, sent only to that host, never written to a project, a log or an error.

A key is looked up in this order: the environment variable named after the host (DISTILL_TUI_API_KEY_<HOST>, with
everything but letters and digits as `_`); OPENAI_API_KEY, for api.openai.com and for the host of OPENAI_BASE_URL;
the system's keyring; the key file of this host. Loopback servers need none.
"""

import ipaddress
import os
import re
import stat
from pathlib import Path
from urllib.parse import urlsplit

from engine.clean import clean_line
from engine.errors import EndpointError, UsageError
from engine.paths import Home, make_private_folder, write_atomically
from engine.redact import register_secret

_SERVICE = "distill-tui"
_OPENAI_HOST = "api.openai.com"
KEYLESS = "no-key-needed"  # the client library needs some key, even for a loopback server without one


def check_address(base_url: str) -> str:
    """Return the endpoint's address without a trailing slash.

    Raises `UsageError` for anything but https, or http on loopback, and for addresses that contain a password.
    """
    example = "Write it as https://host/v1, or http://127.0.0.1:8000/v1 for a server on this machine."
    try:
        parts = urlsplit(base_url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError("The base URL cannot be read.", f"{error}.", example) from error
    if not host or parts.scheme not in ("http", "https"):
        problem = f"“{clean_line(base_url, 80)}” has no https host."
        raise UsageError("The base URL is not a web address.", problem, example)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "The base URL contains more than an address.", f"Host {host}.", f"Do not put keys in it. {example}"
        )
    if parts.scheme == "http" and not is_loopback(base_url):
        raise UsageError(
            "The base URL is not encrypted.", f"The prompt and the key would reach {host} unencrypted.", example
        )
    return base_url.strip().rstrip("/")


def is_loopback(base_url: str) -> bool:
    """Whether the address is this machine: localhost, 127.0.0.0/8 or ::1."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(base_url: str) -> str:
    """Return what a key is bound to: the host, with its port if one is given."""
    parts = urlsplit(base_url)
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""


def variable_of(base_url: str) -> str:
    """Return the environment variable for this host's key, such as DISTILL_TUI_API_KEY_API_EXAMPLE_COM."""
    return "DISTILL_TUI_API_KEY_" + re.sub(r"[^A-Z0-9]", "_", host_of(base_url).upper())


def bind_variable(base_url: str, name: str) -> None:
    """Use the environment variable `name` for this host's key, in this process and the jobs that it starts.

    Raises `UsageError` if it is empty or not set.
    """
    value = os.environ.get(name, "")
    if not value.strip():
        raise UsageError(
            "The API key variable is empty.", f"{name} is not set.", f"Set {name}, or name another variable."
        )
    os.environ[variable_of(base_url)] = value


def find_key(base_url: str, home: Home) -> str | None:
    """Return this host's key, or None. The key is registered as a secret before it is returned.

    Raises `EndpointError` if the key file can be read by others.
    """
    found = _found(base_url, home)
    return None if found is None else found[0]


def key_for(base_url: str, home: Home) -> str:
    """Return this host's key, or a placeholder for a loopback server without one.

    Raises `UsageError` for an address that `check_address` refuses, and `EndpointError` if any other host has no key,
    or if the key is malformed.
    """
    base_url = check_address(base_url)
    key = find_key(base_url, home)
    if key is not None:
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise EndpointError(
                "The key for this endpoint is not valid.",
                f"The key for {host_of(base_url)} contains spaces or characters that no key has.",
                f"Set {variable_of(base_url)} again.",
            )
        return key
    if is_loopback(base_url):
        return KEYLESS
    raise EndpointError(
        "There is no key for this endpoint.",
        f"No key was found for {host_of(base_url)}.",
        f"Set {variable_of(base_url)}"
        + (" or OPENAI_API_KEY" if host_of(base_url) == _OPENAI_HOST else "")
        + ", then start again.",
    )


def key_place(base_url: str, home: Home) -> str | None:
    """Return where this host's key was found, as text; None if there is no key and one is needed.

    Raises `EndpointError` as `find_key` does.
    """
    if (found := _found(base_url, home)) is not None:
        return found[1]
    return "none is needed on this machine" if is_loopback(base_url) else None


def save_key(base_url: str, key: str, home: Home) -> Path:
    """Save this host's key to a file that only its owner can read, replacing an older key, and return the file.

    Raises `StoreError` if it cannot be written; the older key is then unchanged.
    """
    register_secret(key)
    folder = make_private_folder(home.config / "keys")
    folder.chmod(0o700)
    file = _key_file(base_url, home)
    write_atomically(file, f"{key.strip()}\n".encode())
    return file


def _key_file(base_url: str, home: Home) -> Path:
    return home.config / "keys" / re.sub(r"[^a-z0-9.-]", "_", host_of(base_url).lower())


def _found(base_url: str, home: Home) -> tuple[str, str] | None:
    """Return this host's key, registered as a secret, and the place where it was found; None if there is no key."""
    found: tuple[str, str] | None = None
    if (name := _variable_set(base_url)) is not None:
        found = os.environ[name].strip(), name
    elif not is_loopback(base_url) and (key := _from_keyring(base_url)) is not None:
        found = key, "the keyring"
    elif (key := _from_file(file := _key_file(base_url, home))) is not None:
        found = key, str(file)
    if found is not None:
        register_secret(found[0])
    return found


def _variable_set(base_url: str) -> str | None:
    """Return the environment variable that holds this host's key, if any."""
    names = [variable_of(base_url)]
    configured = os.environ.get("OPENAI_BASE_URL", "")
    if host_of(base_url) == _OPENAI_HOST or (configured and host_of(configured) == host_of(base_url)):
        names.append("OPENAI_API_KEY")
    return next((name for name in names if os.environ.get(name, "").strip()), None)


def _from_keyring(base_url: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        found: object = keyring.get_password(_SERVICE, host_of(base_url))
    except (KeyringError, OSError, RuntimeError):  # no desktop, or a locked keyring: try the other places
        return None
    return found.strip() or None if isinstance(found, str) else None


def _from_file(file: Path) -> str | None:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with os.fdopen(handle) as opened:
        mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
        if mode & 0o077:
            raise EndpointError(
                "A key file can be read by others.", f"{file} has mode {mode:o}.", f"Run: chmod 600 {file}"
            )
        return opened.read().strip() or None
