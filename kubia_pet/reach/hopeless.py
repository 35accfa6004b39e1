"""Refusals of a write that stay what they are, however often it is tried."""

HOPELESS = {
    401: "Writing needs a token: give its file with --token-file.",
    403: "Writing is forbidden here: with kubectl it takes the right to update pods/proxy.",
    413: "A pod has a value over its --max-value, which could not be put back.",
    405: "This version of kubia-pet takes no conditional writes: values could not be put back safely.",
}
