"""Passes for compositors: `sampling` -> `inverse` -> `st_maps` -> `layers` -> `stream`."""
