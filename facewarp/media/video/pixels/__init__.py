"""Decoded pictures as upright RGB images, and images as the pictures that encoders take.

``tone_mapping -> color_conversion -> frame_conversion | frame_coding``
"""
