"""Why a question to a pod has no useful answer."""


class AskError(Exception):
    """A question without a useful answer; the text is a sentence that begins with a verb."""


class NotReachedError(AskError):
    """Nothing was sent: no address, no connection. A write that ends so has not happened."""


class UnansweredError(AskError):
    """It was sent and no whole answer came: a write that ends so may have happened, or happen yet."""


class RefusedError(AskError):
    """The pod, or what stands before it, answered with an error; `status` is HTTP's.

    `code` is the pet's own word for why, where it has one: "Errors" in the README.
    """

    def __init__(self, status: int, sentence: str, code: str | None = None) -> None:
        super().__init__(f"answered {status}" + (f": {sentence}" if sentence else ""))
        self.status = status
        self.code = code


class OtherValueError(RefusedError):
    """412: the pod has another value than the one that was to be replaced. Nothing was changed."""


class NotTriedError(AskError):
    """Nothing was written, as the old value could not be put back; the text is a sentence's end."""
