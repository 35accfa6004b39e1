"""The file that holds the token, which whoever changes something must show: read in one way by all who do."""

from pathlib import Path

from kubia_pet.limits import MAX_TOKEN_BYTES


class TokenUnusableError(Exception):
    """The file holds no token; the text is a sentence."""


def read_token(path: Path) -> str:
    """The token in the file, without white space around it. Raises TokenUnusableError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TOKEN_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    return token_in(content, path)


def unreadable(path: Path, error: OSError) -> TokenUnusableError:
    """What to raise where the file cannot be read."""
    return TokenUnusableError(f"The token file {path} cannot be read: {error.strerror}.")


def token_in(content: bytes, path: Path) -> str:
    """The token in the file's content, of which MAX_TOKEN_BYTES and one more are enough."""
    try:
        token = content.decode().strip()
    except UnicodeDecodeError as error:
        raise TokenUnusableError(f"The token file {path} is not UTF-8 text.") from error
    if not token:
        raise TokenUnusableError(f"The token file {path} is empty.")
    if len(content) > MAX_TOKEN_BYTES:
        raise TokenUnusableError(f"The token file {path} is over {MAX_TOKEN_BYTES} bytes.")
    if len(token.split()) > 1 or not token.isprintable():
        raise TokenUnusableError(f"The token file {path} holds more than one word of visible characters.")
    return token
