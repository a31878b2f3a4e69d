"""Read and write videos: container, reader; encoders, writer, color_conversion, audio_copy."""
