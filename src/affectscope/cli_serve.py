"""The verb ``affectscope serve``; as in ``cli``, heavy rooms are imported inside it."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from affectscope.cli_options import CheckpointFolder, Rate
from affectscope.errors import WebError, require

_NEEDED = ("fastapi", "uvicorn", "websockets", "sqlalchemy", "alembic", "argon2")


def serve(
    data: Annotated[Path, typer.Argument(help="The folder that holds all data of the page.")],
    keys: Annotated[
        Path | None,
        typer.Option(help="A folder for keys, outside of DATA; default: in ~/.config/affectscope."),
    ] = None,
    checkpoint: CheckpointFolder = None,
    rate: Rate = None,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8420,
    database_url: Annotated[
        str | None, typer.Option(help="A PostgreSQL database; default: SQLite in DATA.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="The certificate's file (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The key's file (PEM).")] = None,
    insecure_remote: Annotated[
        bool,
        typer.Option("--insecure-remote", help="Let other machines in without TLS: never do."),
    ] = False,
    restore_backup: Annotated[
        bool,
        typer.Option("--restore-backup", help="First put the database's newest backup back."),
    ] = False,
) -> None:
    """Serve the page on this computer: open the address that is printed. Ctrl-C ends it."""
    for package in _NEEDED:
        require(package, "The page", "web")
    from affectscope.web.serving import is_open, opened
    from affectscope.web.settings import Settings

    settings = Settings(
        data=data,
        keys=keys or _default_keys(data),
        checkpoint=checkpoint,
        rate=rate,
        database_url=database_url,
        host=host,
        port=port,
        tls=_tls(tls_cert, tls_key),
    )
    if is_open(settings):
        _check_word(insecure_remote)
    os.umask(0o077)  # what is written is for this user alone
    if restore_backup:
        _restore(settings.data, settings.keys)
    with opened(settings) as served:
        print(f"The page: {served.address}")
        if served.first_link is not None:
            print(f"Nobody can log in yet. Make the first user here, once:\n{served.first_link}")
        print("Ctrl-C ends the server.", flush=True)
        served.run()
    print("The server has ended. All data are kept.")


def _restore(data: Path, keys: Path) -> None:
    from affectscope.store import backups
    from affectscope.store.places import Places

    restored = backups.restore_backup(Places(data, keys))
    print(f"The database is the one of the backup {restored.name}. What was saved later is lost.")


def _tls(certificate: Path | None, key: Path | None) -> tuple[Path, Path] | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise WebError(
            "E_SERVE", "TLS needs a certificate and its key.", "Give --tls-cert and --tls-key."
        )
    return certificate, key


def _check_word(insecure_remote: bool) -> None:
    """Raises WebError E_SERVE (W32)."""
    if not insecure_remote:
        raise WebError(
            "E_SERVE",
            "Other machines could reach this address, and all that is sent could be read on the"
            " way.",
            "Give --tls-cert and --tls-key, or leave --host out to serve this computer only;"
            " --insecure-remote serves without TLS nevertheless.",
        )
    print(
        "WARNING: served WITHOUT TLS to other machines. Passwords and recordings can be read and"
        " changed on the way.",
        file=sys.stderr,
    )


def _default_keys(data: Path) -> Path:
    """Of this data folder, among the user's own settings."""
    settings = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]
    return Path(settings).expanduser() / "affectscope" / "keys" / name
