"""Why streams close: the closed set of ``StreamHandler.closed``, the same for every binding."""

CLIENT, ENDED, FAILED, MAX_AGE, SHUTDOWN, SLOW, TOO_LARGE, UNTRUSTED = (
    "client",
    "ended",
    "failed",
    "max_age",
    "shutdown",
    "slow",
    "too_large",
    "certificate",
)
