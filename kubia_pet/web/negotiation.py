"""Who gets the page: a browser, and nobody who got the text before there was a page."""

import mimeparse
from aiohttp import web

from kubia_pet.web.problem import JSON, TEXT

HTML = "text/html"
# What Java's HttpURLConnection sends by itself, for whatever it fetches; older ones say `*` for `*/*`.
_JAVA = {"text/html", "image/gif", "image/jpeg", "*/*"}


def prefers_html(request: web.BaseRequest) -> bool:
    """Whether Accept names text/html, not below text or JSON (RFC 9110 §12.5.1); no wildcard names it."""
    accept = ",".join(request.headers.getall("Accept", ())).lower()
    try:
        ranges = [mimeparse.parse_media_range(each) for each in accept.split(",")]
    except mimeparse.MimeTypeParseException:
        return False
    names = [f"{kind}/{subtype}" for kind, subtype, _ in ranges]
    if HTML not in names or set(names) == _JAVA:
        return False
    html, text, json = (mimeparse.quality_parsed(each, ranges) for each in (HTML, TEXT, JSON))
    return bool(html > 0 and html >= max(text, json))
