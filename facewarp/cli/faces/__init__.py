"""Commands on faces: effect_options, live_options -> track, live; template, textures, gallery."""
