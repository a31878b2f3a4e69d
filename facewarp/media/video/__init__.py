"""Read and write videos: container, reader; encoders, writer, audio_copy; pixels."""
