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
        token = content.decode().strip()
    except OSError as error:
        raise TokenUnusableError(f"The token file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise TokenUnusableError(f"The token file {path} is not UTF-8 text.") from error
    if not token:
        raise TokenUnusableError(f"The token file {path} is empty.")
    if len(content) > MAX_TOKEN_BYTES:
        raise TokenUnusableError(f"The token file {path} is over {MAX_TOKEN_BYTES} bytes.")
    if len(token.split()) > 1 or not token.isprintable():
        raise TokenUnusableError(f"The token file {path} holds more than one word of visible characters.")
    return token
