"""The product beside a Kubernetes API server: one control plane whose only registry is a cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.support.control_plane import ControlPlane

_CONFIG = """
apiVersion: lbcontrol.io/v1alpha1
kind: Server
listen: {{grpc: "{grpc}", admin: "{admin}", probe: "{probe}"}}
sources: {{cluster: {source}{files}}}
{more}
"""


class KubePlane(ControlPlane):
    """A control plane with a source ``cluster``, and with one of files when asked for; nothing is started yet."""

    def __init__(self, home: Path, kubeconfig: Path, *, files: bool = False, more: str = "", **options: object) -> None:
        """Read the cluster as the user of a kubeconfig, with these options of the source.

        It runs at the speed of the product, and does not count for coverage.

        Args:
            home: Where its files are.
            kubeconfig: Whom to ask, as whom.
            files: Whether ``write`` brings services, too.
            more: Further lines of the server file.
            options: Of the source.
        """
        super().__init__(home, measured=False)
        source: Mapping[str, object] = {"type": "kubernetes", "kubeconfig": str(kubeconfig), **options}
        self.config = home / "server.yaml"
        listeners = {"grpc": self.grpc, "admin": self.admin, "probe": self.probe}
        also = f", local: {{type: file, path: {self.files}}}" if files else ""
        self.config.write_text(_CONFIG.format(source=json.dumps(source), files=also, more=more, **listeners))

    def arguments(self) -> list[str]:
        """What stands after ``serve``."""
        return ["--config", str(self.config)]
