"""Render template images onto faces: textures, makeup -> shading, occlusion -> template_overlay."""
