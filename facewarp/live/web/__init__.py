"""The live page: server -> access -> routes -> connections -> webrtc, frame_link -> page."""
