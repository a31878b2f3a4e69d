#!/usr/bin/env bash
# Video whose colors are coded as YCgCo: OpenCV hands out what lay in memory, and says that all is well.
#
# One would guess: YCgCo is matrix 8 of H.273, x264, x265 and VVC code it and name it (`--colormatrix
# YCgCo`, as screen recorders do, since it loses least of RGB), the decoders give its planes; so a
# reader of videos makes RGB of it as of BT.709, or says which matrix it can't do.
# What happens, with FFmpeg 8 and 9 inside: swscale refuses the tag. OpenCV 5.0 writes one line to
# standard error, and `read()` goes on to return True with pictures that were never written to: black
# or what lay in memory, as many as there are. PyAV raises a bare OSError 95, "Operation not supported", decord2 an error of its filter graph,
# imageio-ffmpeg "could not load meta information". None of them names colors. (swscale of FFmpeg 5
# took the tag for BT.601 without a word: red 200, 60, 40 came out as 201, 43, 37.)
# What follows: look at `colorspace` of the first decoded picture; 8 and 10 to 17 are not converted.
# FFmpeg's zscale reads it: ffmpeg -i in.mp4 -vf zscale=m=709,format=yuv420p out.mp4
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6 opencv-python-headless==5.0.0.93 \
    decord2==3.4.0 imageio-ffmpeg==0.8.1
cd "$place"
cat > write.py <<'PY'
import av

RED, GREEN, BLUE = 200.0, 60.0, 40.0


def planes(matrix):
    if matrix == 8:  # H.273, equations 41 to 43
        y = (RED + 2 * GREEN + BLUE) / 4
        first, second = (2 * GREEN - RED - BLUE) / 4, (RED - BLUE) / 2
    else:
        y = 0.2126 * RED + 0.7152 * GREEN + 0.0722 * BLUE
        first, second = (BLUE - y) / 1.8556, (RED - y) / 1.5748
    return 16 + y * 219 / 255, 128 + first * 224 / 255, 128 + second * 224 / 255


for matrix in (1, 8):
    with av.open(f"m{matrix}.mp4", "w") as container:
        stream = container.add_stream(
            "libx264", rate=25, width=64, height=64, pix_fmt="yuv444p", options={"crf": "1"}
        )
        codec = stream.codec_context
        codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range = matrix, 1, 1, 1
        for number in range(3):
            picture = av.VideoFrame(64, 64, "yuv444p")
            for plane, value in zip(picture.planes, planes(matrix)):
                plane.update(bytes([round(value)]) * plane.buffer_size)
            picture.colorspace, picture.color_range, picture.pts = matrix, 1, number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
PY
cat > read.py <<'PY'
import sys

reader, path = sys.argv[1:]
if reader == "PyAV":
    import av

    def pictures():
        with av.open(path) as container:
            for picture in container.decode(video=0):
                yield picture.to_ndarray(format="rgb24")
elif reader == "OpenCV":
    import cv2

    def pictures():
        video = cv2.VideoCapture(path)
        while (found := video.read())[0]:
            yield found[1][..., ::-1]
elif reader == "decord2":
    import decord

    def pictures():
        for picture in decord.VideoReader(path):
            yield picture.asnumpy()
else:
    import imageio_ffmpeg
    import numpy as np

    def pictures():
        frames = imageio_ffmpeg.read_frames(path)
        next(frames)
        for data in frames:
            yield np.frombuffer(data, np.uint8).reshape(64, 64, 3)


try:
    print([picture[32, 32].tolist() for picture in pictures()])
except Exception as error:
    print(type(error).__name__, str(error).split("\n")[0][:60])
PY
run() { "$place/venv/bin/python" "$@" 2>> errors.txt; }
run write.py
for reader in PyAV OpenCV decord2 imageio-ffmpeg; do
    for matrix in 1 8; do
        found=$(run read.py $reader m$matrix.mp4 | tail -n 1)
        echo "$reader, matrix $matrix: $found"
        echo "$found" > "$reader-$matrix.txt"
    done
    grep -Eq "\[(200|201), 60, (39|40|41)\]" "$reader-1.txt"
done
grep -Eq "^\[\[[0-9, ]+\], \[[0-9, ]+\], \[[0-9, ]+\]\]$" OpenCV-8.txt # three pictures
if grep -Eq "(19[5-9]|20[0-5]), (5[5-9]|6[0-5]), (3[5-9]|4[0-5])" OpenCV-8.txt; then exit 1; fi
grep -q "^OSError.*not supported" PyAV-8.txt
grep -q "^DECORDError" decord2-8.txt
grep -q "^OSError Could not load meta" imageio-ffmpeg-8.txt
grep -q "swscaler.*Unsupported input.*csp:ycgco" errors.txt
