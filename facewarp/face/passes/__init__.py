"""Passes: `sampling` -> `inverse` -> `st_maps` -> `round_trip` -> `layers` -> `stream`."""
