"""The version of facewarp."""

__version__ = "0.1.0"
