"""``serve``: run the control plane."""

from __future__ import annotations

import importlib

from lbcontrol.app.cli.options import Serve


def serve(options: Serve) -> int:
    """Read the configuration, let the command line overrule it, run until told to stop."""
    written = {
        "listen.grpc": options.grpc,
        "listen.admin": options.admin,
        "listen.probe": options.probe,
        "stateDir": options.state_dir,
        "tls.cert": options.tls_cert,
        "tls.key": options.tls_key,
        "tls.clientCa": options.tls_client_ca,
        "transport": options.transport.value if options.transport else "",
        "insecure": "true" if options.insecure else "",
    }
    overrides = {key: value for key, value in written.items() if value}
    config, server = (importlib.import_module(f"lbcontrol.app.{name}") for name in ("config", "serve"))
    loaded = config.load(options.config or None, sources_path=options.path or None, overrides=overrides)
    return int(server.run(loaded))
