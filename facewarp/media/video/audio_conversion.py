"""A sound track decoded and encoded anew, for containers that can't hold it as it is."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import av
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer

_BITS_PER_CHANNEL: Final = 96_000
_MOST_BITS: Final = 512_000
_MOST_CHANNELS: Final = 8
_AAC_RATES: Final = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
)  # fmt: skip
_OPUS_RATE: Final = 48_000
_LAYOUTS: Final = {1: "mono", 2: "stereo", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_APART_S: Final = 0.05  # between where sound should be and where it is, before it is moved


class AudioConversion:
    """A track that is decoded, brought to a rate and a layout its encoder takes, and encoded.

    Sound stays at its own time: silence fills gaps, and what overlaps is cut.

    Args:
        output: Where the track goes; its header is not written yet.
        source: The track to convert.
        codec: The encoder: "aac" or "libopus".

    Attributes:
        track: The track of the output.
    """

    def __init__(self, output: OutputContainer, source: AudioStream, codec: str) -> None:
        self._source = source
        channels = min(source.codec_context.layout.nb_channels, _MOST_CHANNELS)
        layout = _LAYOUTS.get(channels, "stereo")
        count = next(number for number, name in _LAYOUTS.items() if name == layout)
        self._rate = _rate_for(codec, source.codec_context.sample_rate)
        bits = min(_MOST_BITS, _BITS_PER_CHANNEL * count)
        track = output.add_stream(codec, rate=self._rate, layout=layout, bit_rate=bits)
        assert isinstance(track, AudioStream)
        self.track = track
        self._layout = layout
        self._fifo = AudioFifo()
        self._resampler: av.AudioResampler | None = None
        self._base: int | None = None
        self._received = self._encoded = 0

    def convert(self, packet: "av.Packet | None", shift: float) -> Iterator["av.Packet"]:
        """Yield the packets that are ready once one, with its time in the source, has come.

        Args:
            packet: None at the end of the track.
            shift: Seconds taken off every time of the source.

        Raises:
            av.FFmpegError: The packet is damaged.
        """
        for frame in self._source.decode(packet):
            yield from self._take(frame, shift)
        if packet is None:
            yield from self._finish()

    def _take(self, frame: AudioFrame, shift: float) -> Iterator["av.Packet"]:
        if frame.pts is not None and frame.time_base is not None:
            base = Fraction(frame.time_base.numerator, frame.time_base.denominator)
            self._align(round((frame.pts * base - Fraction(shift)) * self._rate))
        frame.pts = None
        for piece in self._resampled(frame):
            self._write(piece)
        yield from self._encode(whole=False)

    def _align(self, target: int) -> None:
        """Make the sample that comes next the one at a place, by silence or by leaving out."""
        if self._base is None:
            self._base = max(target, 0)
            self._received = min(target, 0)
            return
        apart = target - (self._base + self._received)
        if abs(apart) <= _APART_S * self._rate:
            return
        if apart > 0:
            self._write(self._silence(apart))
        else:
            self._received += apart  # as many samples as this is below what was written are cut

    def _resampled(self, frame: AudioFrame | None) -> list[AudioFrame]:
        if self._resampler is None:
            self._resampler = av.AudioResampler(self.track.format, self._layout, self._rate)
        return self._resampler.resample(frame)

    def _write(self, piece: AudioFrame) -> None:
        """Put samples after those that wait, but not those before the place reached."""
        piece.pts = None
        reached = self._encoded + self._fifo.samples
        self._received += piece.samples
        surplus = reached - (self._received - piece.samples)
        if surplus <= 0:
            self._fifo.write(piece)
        elif surplus < piece.samples:
            scratch = AudioFifo()
            scratch.write(piece)
            scratch.read(surplus)
            rest = scratch.read(0, partial=True)
            if rest is not None:
                rest.pts = None
                self._fifo.write(rest)

    def _silence(self, samples: int) -> AudioFrame:
        frame = AudioFrame(self.track.format, self._layout, samples)
        frame.sample_rate = self._rate
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        return frame

    def _encode(self, *, whole: bool) -> Iterator["av.Packet"]:
        size = self.track.codec_context.frame_size or 1024
        while self._fifo.samples >= size or (whole and self._fifo.samples):
            piece = self._fifo.read(min(size, self._fifo.samples))
            assert piece is not None
            piece.sample_rate, piece.time_base = self._rate, Fraction(1, self._rate)
            piece.pts = (self._base or 0) + self._encoded
            self._encoded += piece.samples
            yield from self.track.encode(piece)

    def _finish(self) -> Iterator["av.Packet"]:
        if self._resampler is not None:
            for piece in self._resampled(None):
                self._write(piece)
        yield from self._encode(whole=True)
        if self._encoded:
            yield from self.track.encode(None)


def _rate_for(codec: str, rate: int) -> int:
    """Return the lowest rate an encoder takes that loses nothing; its highest for what is above."""
    if codec == "libopus":
        return _OPUS_RATE
    return min((known for known in _AAC_RATES if known >= rate), default=48_000)
