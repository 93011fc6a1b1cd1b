"""Names without a namespace: what ``echo`` means to a client of the namespace ``shop``.

A service that is called so is meant first, then ``echo.shop``, then whoever has it for an alias.
"""

from __future__ import annotations

import re

KEY = "lbcontrol.namespace"
"""Key of node metadata by which a client says its namespace: for names, never for rights."""
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def is_namespace(text: str) -> bool:
    """Return whether a text can be a namespace (RFC 1123 label)."""
    return _LABEL.fullmatch(text) is not None


def qualified(name: str, namespace: str) -> str:
    """Return ``echo.shop`` for ``echo``, ``echo.shop:grpc`` for ``echo:grpc``; "" when the name has a dot already."""
    host, colon, port = name.partition(":")
    return f"{host}.{namespace}{colon}{port}" if namespace and host and "." not in host else ""


def bare(name: str, namespace: str) -> str:
    """Return ``echo`` for ``echo.shop``, ``echo:grpc`` for ``echo.shop:grpc``; "" for names of other namespaces."""
    host, colon, port = name.partition(":")
    label, _, rest = host.partition(".")
    return f"{label}{colon}{port}" if namespace and label and rest == namespace else ""
