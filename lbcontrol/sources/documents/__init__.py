"""Documents of people: what files and the Kubernetes cluster say about services, in one vocabulary.

Belongs here: YAML with positions, the models of the vocabulary, every message about a wrong document,
conversion to snapshots and back to text.
Does not belong here: where a document comes from, watching, protocols.
"""

from lbcontrol.sources.documents.again import read_again
from lbcontrol.sources.documents.documents import Documents
from lbcontrol.sources.documents.known import NOTHING, Known
from lbcontrol.sources.documents.reading import read_documents, read_policy

__all__ = ["NOTHING", "Documents", "Known", "read_again", "read_documents", "read_policy"]
