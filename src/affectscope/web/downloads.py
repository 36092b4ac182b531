"""How a file is called that somebody takes home."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

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
