"""HTML as a string that knows it is HTML: anything else that is put into an element is escaped."""

import html
import re
from collections.abc import Iterable


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: object) -> Html:
    """Return text as HTML; what is HTML already stays as it is.

    Examples
    --------
    >>> escape("a < b"), escape(Html("<b>"))
    ('a &lt; b', '<b>')
    """
    return text if isinstance(text, Html) else Html(html.escape(str(text)))


def join(parts: Iterable[object], between: str = "") -> Html:
    """Return parts one after the other, escaped."""
    return Html(between.join(escape(part) for part in parts))


def breakable(name: str) -> Html:
    """Return a name that a browser may break between its words.

    Examples
    --------
    >>> breakable("ReduceLROnPlateau")
    'Reduce<wbr>LROn<wbr>Plateau'
    """
    return join(re.split(r"(?<=[a-z0-9])(?=[A-Z])", name), "<wbr>")


def element(name: str, /, *children: object, **attributes: object) -> Html:
    """Return an element; a child of None is left out, and so is an attribute of None or False.

    ``class_`` stands for class, and ``data_row`` for data-row.

    Examples
    --------
    >>> element("p", "a < b", element("br"), class_="note", hidden=True, id=None)
    '<p class="note" hidden>a &lt; b<br></p>'
    """
    written = ""
    for key, value in attributes.items():
        if value is not None and value is not False:
            key = key.rstrip("_").replace("_", "-")
            written += f" {key}" if value is True else f' {key}="{html.escape(str(value))}"'
    if name in ("br", "img", "input", "link", "meta", "mspace"):
        return Html(f"<{name}{written}>" if name != "mspace" else f"<{name}{written}/>")
    return Html(f"<{name}{written}>{join(child for child in children if child is not None)}</{name}>")
