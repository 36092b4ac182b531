"""What people typed, before it is kept."""

from __future__ import annotations

from affectscope.errors import StoreError


def checked_name(name: str) -> str:
    """A name as people type it. Raises StoreError E_VALUE."""
    name = name.strip()
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise StoreError("E_VALUE", "A name has 1 to 200 printable characters.")
    return name


def checked_text(text: str) -> str:
    """Free text of several lines. Raises StoreError E_VALUE for what no database keeps."""
    if not all(letter.isprintable() or letter in "\n\r\t" for letter in text):
        raise StoreError("E_VALUE", "The text holds characters that cannot be printed.")
    return text.strip()
