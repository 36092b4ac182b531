"""How the server was asked to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What `affectscope serve` was given.

    Attributes:
        data, keys: folders, see ``store.places.Places``.
        checkpoint: what scores sessions; None: the body only.
        rate: analysed times per second; None: every picture, up to 30.
        database_url: of a PostgreSQL database; None: SQLite in ``data``.
        host, port: where it listens.
        tls: certificate and key files; None without TLS.
        largest_upload: bytes of one file.
    """

    data: Path
    keys: Path
    checkpoint: Path | None = None
    rate: float | None = None
    database_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8420
    tls: tuple[Path, Path] | None = None
    largest_upload: int = 64 << 30
