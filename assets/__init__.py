"""What facewarp ships beside its code: weights, detector, templates, textures and the demo clip.

Every folder holds the licence and the origin of what is in it. Read them with
``importlib.resources.files("facewarp.assets")``.
"""
