"""Where things lie in the data folder, and what must lie elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The data folder.

    Attributes:
        data: the folder; all else lies in it.
        keys: a folder outside of it, for the key and the head of the audit trail: who can change
            the data cannot change these with them.
    """

    data: Path
    keys: Path

    @property
    def database(self) -> Path:
        return self.data / "affectscope.sqlite"

    @property
    def files(self) -> Path:
        return self.data / "files"

    @property
    def uploads(self) -> Path:
        return self.data / "uploads"

    @property
    def exports(self) -> Path:
        return self.data / "exports"

    @property
    def studies(self) -> Path:
        return self.data / "studies"

    @property
    def backups(self) -> Path:
        return self.data / "backups"

    @property
    def log(self) -> Path:
        return self.data / "server.log"

    @property
    def lock(self) -> Path:
        """Held by the one server process."""
        return self.data / "lock"

    def content(self, sha256: str) -> Path:
        """An original, by its content."""
        return self.files / sha256[:2] / sha256

    @property
    def sessions(self) -> Path:
        return self.data / "sessions"

    def session(self, session_id: str) -> Path:
        return self.sessions / session_id

    def input(self, session_id: str) -> Path:
        """The session's folder as ``io.session`` reads it."""
        return self.session(session_id) / "input"

    def inspection(self, session_id: str) -> Path:
        """What inspecting the session's files gave, JSON."""
        return self.session(session_id) / "inspection.json"

    def result(self, session_id: str, result_id: str) -> Path:
        return self.session(session_id) / "results" / result_id

    def study(self, product_id: str) -> Path:
        return self.studies / product_id

    def export(self, product_id: str) -> Path:
        return self.exports / f"{product_id}.zip"

    def export_parts(self, product_id: str) -> Path:
        """What is written for an export before it is packed."""
        return self.exports / f"{product_id}.parts"

    def product(self, product_id: str) -> tuple[Path, ...]:
        """Wherever files of a study or an export can lie."""
        return self.study(product_id), self.export(product_id), self.export_parts(product_id)
