"""Values of flags that take one of several words; apart from the flags, so that nothing slow comes with them."""

from __future__ import annotations

import enum


class Format(enum.StrEnum):
    """How data is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class Report(enum.StrEnum):
    """How findings are printed."""

    TABLE = "table"
    SHORT = "short"
    JSON = "json"
    YAML = "yaml"


class Document(enum.StrEnum):
    """How a schema is printed."""

    JSON = "json"
    YAML = "yaml"


class Color(enum.StrEnum):
    """When to use colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Language(enum.StrEnum):
    """Whose bootstrap to print."""

    PYTHON = "python"
    GO = "go"
    NODE = "node"
    JAVA = "java"
    CPP = "cpp"
    ENVOY = "envoy"


class Transport(enum.StrEnum):
    """What speaks HTTP/2."""

    HTTP2 = "http2"
    GRPCIO = "grpcio"


class Until(enum.StrEnum):
    """What to wait for."""

    ACKNOWLEDGED = "acknowledged"
    DRAINED = "drained"
    HEALTHY = "healthy"
