"""Exports go by themselves: each is a second copy of people's data, and can be made again."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from affectscope.store.database import Store
from affectscope.store.tables import Product

EXPORT_LIFE = timedelta(days=7)


def remove_old_exports(store: Store) -> None:
    """The rows first, then the files: a file that stays goes with the next sweep."""
    old = select(Product).where(
        Product.kind == "export", Product.created_at < store.clock() - EXPORT_LIFE
    )
    with store.reading() as session:
        some = session.scalars(old.limit(1)).first() is not None
    if some:
        with store.writing(None) as change:
            for product in change.session.scalars(old).all():
                change.session.delete(product)
                change.audit("export.outdated", "product", product.id)
    with store.reading() as session:
        known = set(session.scalars(select(Product.id)))
    for path in store.places.exports.glob("*.zip"):
        if path.stem not in known:
            path.unlink(missing_ok=True)
