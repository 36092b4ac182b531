"""How a file is called that somebody takes home."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from urllib.parse import quote

_LONGEST = 80


def download_name(*parts: str | datetime, suffix: str) -> str:
    """ "P01-first-2026-03-01-report.pdf": letters, digits, dots and single dashes only, so that no
    system and no header takes it for something else (W26).

    Args:
        suffix: with its dot.
    """
    texts = [part if isinstance(part, str) else f"{part:%Y-%m-%d}" for part in parts]
    plain = (unicodedata.normalize("NFKC", text)[:_LONGEST] for text in texts)
    cleaned = (re.sub(r"[^\w.]+|_", "-", text).strip("-.") for text in plain)
    return "-".join(text for text in cleaned if text) + suffix


def disposition(name: str) -> str:
    """The header Content-Disposition for a download (W26).

    The name in full is percent-encoded UTF-8 (RFC 8187); an ASCII form goes before it for programs
    that know no other (RFC 6266, section 4.3 and appendix D).
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    fallback = "".join(sign if sign.isalnum() or sign in "-_. ()" else "_" for sign in plain)
    return f"attachment; filename=\"{fallback.strip() or 'file'}\"; filename*=UTF-8''" + quote(
        name, safe="", errors="replace"
    )
