"""What all pages share: how templates are filled, the intended use, and how a page is written:
as HTML, and as PDF where the extra [pdf] is installed.

Where WeasyPrint's documentation is silent, and what we do:

1. Nothing is fetched for a PDF (W28): what the page holds itself (data:) and our own fonts are
   handed out, every other address is refused, also those in style sheets, drawings and fonts.
   Attachments are not made, whatever they would hold.
2. A PDF must not look different on a machine with other fonts: DejaVu Sans comes from Matplotlib,
   whose figures bear it already. A letter that it lacks is taken from the machine's fonts.
3. Figures are handed to it as pictures: as elements of the page each of their strokes would get a
   style of its own, which takes as long as all else.
4. A PDF of an earlier page never stays beside a new page that could not be drawn.
5. Importing it makes Pillow take cut pictures for whole ones, in all of this process; that is
   taken back. Our fonts are made known to it once in a process, since it copies them each time.
"""

from __future__ import annotations

import atexit
import base64
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectscope.errors import MissingExtraError, require
from affectscope.figures import svg
from affectscope.io.files import write_text, write_with

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from matplotlib.figure import Figure

INTENDED_USE = "Research use, not a medical device."

_LOG = logging.getLogger(__name__)
_FONTS = (
    ("Page Sans", 400, "DejaVuSans.ttf"),
    ("Page Sans", 700, "DejaVuSans-Bold.ttf"),
    ("Page Mono", 400, "DejaVuSansMono.ttf"),
)
_FONT_ADDRESS = "affectscope-font:"


def environment() -> Environment:
    """The package's templates, "room/name.html.jinja"; all include ``style.html.jinja``.

    Everything that is filled in is escaped; a name that a template does not get is an error.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("affectscope", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def inline_figure(figure: Figure | None, description: str) -> Markup | None:
    """A figure as an SVG that a template takes as it is; None where there is no figure."""
    from markupsafe import Markup

    return None if figure is None else Markup(svg(figure, description))


def write_page(page: str, path: Path, *, pdf: bool = True) -> tuple[Path, ...]:
    """Write ``path`` + ".html" and ``path`` + ".pdf", each whole or not at all (W01).

    Args:
        pdf: False: only the HTML; drawing the PDF takes longer than all else.

    Returns:
        What was written: without the PDF where it cannot be made; ``why_no_pdf`` tells.

    Raises:
        OutputError: E_OUTPUT.
    """
    page = page.encode(errors="replace").decode()  # a file's name may hold bytes that are no text
    drawn = _drawn(page) if pdf else None
    written, beside = _beside(path, "html"), _beside(path, "pdf")
    write_text(written, page)
    if drawn is None:
        beside.unlink(missing_ok=True)
        return (written,)
    write_with(beside, lambda stream: stream.write(drawn))
    return written, beside


def why_no_pdf(path: Path) -> str:
    """Why ``write_page`` left no ``path`` + ".pdf", and what to do; empty where it is there."""
    if _beside(path, "pdf").exists():
        return ""
    try:
        pdf_library()
    except MissingExtraError as error:
        return f"{error.sentence} {error.remedy}"
    return "The page could not be drawn as PDF. Print the HTML, which holds the same."


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


def pdf_library() -> Any:
    """WeasyPrint, with what importing it changes elsewhere taken back.

    Raises:
        MissingExtraError: E_EXTRA where it, or one of the system's libraries it needs, is missing.
    """
    from PIL import ImageFile

    strict = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        return require("weasyprint", "A page as PDF", "pdf")
    except OSError as error:
        raise MissingExtraError(
            "E_EXTRA",
            f"A page as PDF needs the libraries Pango and HarfBuzz ({error}).",
            "Install them with the system's package manager (Debian: apt install libpango-1.0-0"
            " libpangoft2-1.0-0 libharfbuzz-subset0).",
        ) from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = strict


def _drawn(page: str) -> bytes | None:
    """The page as PDF, the same bytes for the same page; None where it cannot be made."""
    try:
        weasyprint = pdf_library()
    except MissingExtraError:
        return None
    with _quiet():
        try:
            fetcher, fonts, style = _own_style()
            html = weasyprint.HTML(string=_with_pictures(page), url_fetcher=fetcher)
            for element in html.etree_element.iter():
                element.attrib.pop("rel", None)  # rel="attachment" would put a file into the PDF
            drawn: bytes = html.write_pdf(stylesheets=[style], font_config=fonts)
        except Exception as error:  # a page that cannot be drawn must not cost the result
            _LOG.warning("W_NO_PDF: the page could not be drawn as PDF (%r)", error)
            return None
        return drawn


def _with_pictures(page: str) -> str:
    """The page with each figure of ``figures.svg`` as an image that holds the same drawing."""

    def picture(found: re.Match[str]) -> str:
        packed = base64.b64encode(found[0].encode()).decode()
        return f'<img class="figure" src="data:image/svg+xml;base64,{packed}">'

    return re.sub('<svg role="img".*?</svg>', picture, page, flags=re.DOTALL)


@cache
def _own_style() -> tuple[Any, Any, Any]:
    """What fetches, the fonts, and the style that names them.

    "Important", since a page's own style counts more than one from outside.
    """
    import weasyprint
    from weasyprint.text.fonts import FontConfiguration

    fetcher, fonts = _fetcher(), FontConfiguration()
    atexit.register(_own_style.cache_clear)  # it removes its copies of the fonts when it goes
    faces = "".join(
        f'@font-face {{ font-family: "{family}"; font-weight: {weight};'
        f" src: url({_FONT_ADDRESS}{name}); }}\n"
        for family, weight, name in _FONTS
    )
    text = f"""{faces}
    @page {{ font-family: "Page Sans", sans-serif; }}
    body {{ font-family: "Page Sans", sans-serif !important; }}
    code, pre {{ font-family: "Page Mono", "Page Sans", monospace !important; }}
    img.figure {{ width: 100%; height: auto; display: block; }}"""
    return fetcher, fonts, weasyprint.CSS(string=text, url_fetcher=fetcher, font_config=fonts)


def _fetcher() -> Any:
    """Hands out our fonts and what stands in the page; refuses all else."""
    import matplotlib as mpl
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    fonts = {f"{_FONT_ADDRESS}{name}": folder / name for _, _, name in _FONTS}

    class PageFetcher(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: dict[str, str] | None = None) -> Any:
            if url in fonts:
                return URLFetcherResponse(url, fonts[url].read_bytes())
            return super().fetch(url, headers)

    return PageFetcher(allowed_protocols=("data",), allow_redirects=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """WeasyPrint tells every rule of CSS that it does not know, and every refused address."""
    log = logging.getLogger("weasyprint")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)
