"""Templates: template -> library (files by name), mesh, contours, mirror."""
