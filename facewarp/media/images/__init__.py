"""Pictures: `files` (formats, pixels) -> `source` (one, folders), `animation` -> `writer`.

`decoding` reads what comes over a network, within limits.
"""
