"""The page's HTML: that of the live page, with what differs."""

from typing import Final

from facewarp.errors import FacewarpError

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
"""Content security policy: nothing is loaded from, or sent to, any other place."""

NEUTRAL: Final = """        <div class="row">
          <button class="secondary" id="neutral" type="button" title="Expression values that are \
sent count from the face as it is now"><svg class="icon" aria-hidden="true"><use href="#i-face"/>\
</svg>This is neutral</button>
        </div>
"""
"""What the live page has for the values that the program sends."""

FACES: Final = (
    '<select id="faces" aria-label="Faces" title="Each further face takes as long again">'
    + "".join(f'<option value="{n}">{n} face{"s" * (n > 1)}</option>' for n in range(1, 5))
    + "</select>"
)
"""How many faces are followed at most."""

_CHANGES: Final = {
    '<meta charset="utf-8">': '<meta charset="utf-8">\n'
    f'  <meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    '  <meta name="referrer" content="no-referrer">',
    "<title>facewarp live</title>": "<title>facewarp</title>",
    '<link rel="stylesheet" href="style.css">': '<link rel="stylesheet" href="style.css">\n'
    '  <link rel="stylesheet" href="page.css">',
    "facewarp <span>live</span></h1>": "facewarp <span>in your browser</span></h1>",
    '<option value="1280x720" selected>': '<option value="1280x720">',
    '<option value="640x480">': '<option value="640x480" selected>',
    "Your picture goes to the program that serves this page and comes back with the effect.": (
        "Everything runs in this browser. No picture leaves your machine."
    ),
    '<button type="button" id="full"': '<button type="button" id="landmarks" aria-pressed="false"'
    ' disabled><svg class="icon" aria-hidden="true"><use href="#i-mesh"/></svg>'
    '<span id="landmarks-text">Landmarks</span><kbd>L</kbd></button>\n'
    '        <button type="button" id="full"',
    NEUTRAL: "",
    '<select id="resolution"': f'{FACES}\n      <select id="resolution"',
    '<p class="foot" id="foot"></p>': '<p class="foot" id="foot"></p>\n'
    '      <p class="foot" id="requests" aria-live="off"></p>',
}


def page_html(live: str) -> str:
    """Change the live page's HTML into the one of the page without a server.

    Args:
        live: ``index.html`` of the live page.

    Raises:
        FacewarpError: it has not exactly one of each thing that is changed.
    """
    for old, new in _CHANGES.items():
        if live.count(old) != 1:
            raise FacewarpError(f"the live page has no single {old!r} to change for this one")
        live = live.replace(old, new)
    return live
