"""OpenEXR: multi-layer files of passes, one a frame, and Cryptomatte's names and ids."""
