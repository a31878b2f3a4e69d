"""Interlaced video becomes whole pictures, one a frame, at the times of the frames."""

from fractions import Fraction

import av
import numpy as np
import pytest

from facewarp.media.sources import open_source, read_video

WIDTH, HEIGHT, FRAMES = 192, 96, 12


def scene(moment):
    """(H, W, 3): a white bar that moves 6 px a field."""
    image = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
    left = 20 + 6 * moment
    image[:, left : left + 30] = 230
    return image


def detailed_scene(moment):
    """(H, W, 3): fine detail that moves 6 px a field, round and round."""
    grain = np.random.default_rng(3).normal(0, 1, (HEIGHT, 2 * WIDTH))
    smooth = sum(np.roll(grain, shift, axis=0) for shift in (-1, 0, 1))
    smooth = sum(np.roll(smooth, shift, axis=1) for shift in range(24))
    image = np.roll(125 + 8 * smooth, -6 * moment, axis=1)[:, :WIDTH].clip(16, 235)
    return np.repeat(image.astype(np.uint8)[..., None], 3, axis=2)


def as_fields(order):
    """What marks pictures as interlaced ("tff" or "bff") or not ("prog")."""
    graph = av.filter.Graph()
    size = f"video_size={WIDTH}x{HEIGHT}:pix_fmt=yuv420p:time_base=1/25"
    steps = [graph.add("buffer", size), graph.add("setfield", order), graph.add("buffersink")]
    graph.link_nodes(*steps).configure()

    def mark(picture):
        graph.vpush(picture)
        return graph.vpull()

    return mark


@pytest.fixture
def make_interlaced(tmp_path):
    def make(
        name="inter.mp4", top_first=True, frames=FRAMES, codec="libx264", marked=True,
        scene=scene, is_woven=lambda number: True,
    ):  # fmt: skip
        path = tmp_path / name
        mark = as_fields(("tff" if top_first else "bff") if marked else "prog")
        with av.open(str(path), "w") as container:
            options = {"x264-params": "crf=8:bframes=0:keyint=6"}
            stream = container.add_stream(
                codec, rate=25, width=WIDTH, height=HEIGHT, pix_fmt="yuv420p",
                options=options if codec == "libx264" else {"flags": "+ildct+ilme", "q": "2"},
            )  # fmt: skip
            if marked:
                stream.codec_context.flags |= av.codec.context.Flags.interlaced_dct
            for number in range(frames):
                first, second = scene(2 * number), scene(2 * number + is_woven(number))
                woven = (first if top_first else second).copy()
                woven[1::2] = (second if top_first else first)[1::2]
                picture = av.VideoFrame.from_ndarray(woven, format="rgb24")
                picture = picture.reformat(format="yuv420p", threads=1)
                picture.pts, picture.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(mark(picture)))
            container.mux(stream.encode(None))
        with av.open(str(path)) as container:
            assert next(container.decode(video=0)).interlaced_frame == marked
        return path

    return make


def combing(image):
    """How much neighbouring lines differ, compared with every other line."""
    lines = image[..., 1].astype(float)
    return np.abs(np.diff(lines, axis=0)).mean() - np.abs(lines[2:] - lines[:-2]).mean()


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize("name", ["inter.mp4", "inter.ts", "inter.mkv"])
def test_no_combs_are_left(make_interlaced, contents, copied, top_first, name):
    path = make_interlaced(name, top_first)
    assert combing(contents(path).images[5]) > 10
    source = copied(path)
    after = contents(path.parent / "out.mp4")
    assert max(combing(image) for image in after.images[1:-1]) < 3
    assert source.notes == ["the video is interlaced: deinterlaced, one picture a frame"]
    with av.open(str(path.parent / "out.mp4")) as container:
        assert not any(picture.interlaced_frame for picture in container.decode(video=0))


def test_count_and_times_of_the_frames_stay(make_interlaced, contents, copied):
    path = make_interlaced()
    copied(path)
    before, after = contents(path), contents(path.parent / "out.mp4")
    assert after.times == pytest.approx(before.times, abs=1e-6)


@pytest.mark.parametrize("top_first", [True, False])
def test_pictures_show_the_moment_of_their_first_field(make_interlaced, top_first):
    for number, frame in enumerate(read_video(make_interlaced(top_first=top_first))):
        if 0 < number < FRAMES - 1:
            expected = scene(2 * number).astype(float)
            assert np.abs(frame.image - expected).mean() < 4


@pytest.mark.parametrize(("start", "end"), [(0.2, None), (0.1, 0.3)])
def test_a_part_is_deinterlaced_like_the_whole(make_interlaced, start, end):
    path = make_interlaced(frames=24)
    whole = [f for f in read_video(path) if f.time >= start and (end is None or f.time < end)]
    part = list(open_source(path, start, end))
    assert [frame.time for frame in part] == [frame.time for frame in whole]
    for one, other in zip(part[1:], whole[1:], strict=True):
        assert np.abs(one.image.astype(int) - other.image).mean() < 1


def test_progressive_video_is_left_alone(make_clip, contents, copied):
    path = make_clip()
    assert copied(path).notes == []


def difference(image, expected):
    return np.abs(image.astype(float) - expected).mean()


def test_whole_pictures_marked_as_interlaced_keep_their_detail(make_interlaced, contents, copied):
    path = make_interlaced(scene=detailed_scene, is_woven=lambda number: False)
    source = copied(path)
    after = contents(path.parent / "out.mp4")
    assert len(after.images) == FRAMES
    for number, image in enumerate(after.images):
        assert difference(image, detailed_scene(2 * number)) < 8, number
    assert source.notes == []


def test_combs_after_whole_pictures_are_taken_off(make_interlaced):
    path = make_interlaced(scene=detailed_scene, frames=24, is_woven=lambda number: number >= 12)
    images = [frame.image for frame in read_video(path)]
    assert max(difference(images[n], detailed_scene(2 * n)) for n in range(11)) < 8
    for number in range(13, 23):
        own, later = (detailed_scene(2 * number + field)[1::2] for field in (0, 1))
        assert difference(images[number][1::2], later) > difference(images[number][1::2], own)


def test_film_in_fields_is_deinterlaced_wherever_it_is_combed(make_interlaced):
    path = make_interlaced(frames=30, is_woven=lambda number: number % 5 in (3, 4))
    assert max(combing(frame.image) for frame in list(read_video(path))[1:-1]) < 3


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize("share", [1, 2 / 5])
def test_combs_that_are_not_marked_are_told_and_stay(make_interlaced, copied, top_first, share):
    path = make_interlaced(
        frames=90, top_first=top_first, marked=False, scene=detailed_scene,
        is_woven=lambda number: number % 5 < 5 * share,
    )  # fmt: skip
    (note,) = copied(path).notes
    assert "combed" in note
    assert f"bwdif=send_frame:{'tff' if top_first else 'bff'}" in note


def test_whole_pictures_that_are_not_marked_are_no_news(make_interlaced, copied):
    path = make_interlaced(
        frames=60, marked=False, scene=detailed_scene, is_woven=lambda number: False
    )
    assert copied(path).notes == []
