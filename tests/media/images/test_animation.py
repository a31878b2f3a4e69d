"""Files of several pictures and numbered pictures: clips, with their times, gaps and alpha."""

import gc
import logging
from fractions import Fraction

import av
import numpy as np
import PIL.Image
import pytest

from facewarp.errors import FacewarpError
from facewarp.media.sinks import open_sink, target_for
from facewarp.media.sources import open_source

SHADES = (30, 90, 150, 210)
DURATIONS = [100, 250, 40, 700]


def page(shade, size=(32, 24), alpha=None):
    image = np.full((size[1], size[0], 3), shade, np.uint8)
    return image if alpha is None else np.dstack([image, np.full(size[::-1], alpha, np.uint8)])


def animation(path, alpha=None, **options):
    first, *others = [PIL.Image.fromarray(page(shade, alpha=alpha)) for shade in SHADES]
    options = {"duration": DURATIONS} | options
    first.save(path, save_all=True, append_images=others, **options)
    return path


def numbered(folder, numbers, sizes=None):
    folder.mkdir()
    for place, number in enumerate(numbers):
        size = sizes[place] if sizes else (32, 24)
        PIL.Image.fromarray(page(10 * number, size)).save(folder / f"f_{number:04d}.png")
    return folder / "f_%04d.png"


def times_and_shades(path, **options):
    frames = list(open_source(path, **options))
    return [frame.time for frame in frames], [int(frame.image.mean()) for frame in frames]


@pytest.mark.parametrize("suffix", ["webp", "png", "apng", "avif"])
def test_an_animated_picture_is_read_as_a_clip_with_its_durations(tmp_path, suffix):
    options = {"format": "PNG"} if suffix == "apng" else {}
    path = animation(tmp_path / f"a.{suffix}", **options)
    source = open_source(path)
    times, shades = times_and_shades(path)
    assert (source.kind, source.frame_count, source.size) == ("animation", 4, (32, 24))
    assert times == pytest.approx([0, 0.1, 0.35, 0.39])
    np.testing.assert_allclose(shades, SHADES, atol=3)
    assert source.fps == pytest.approx(4 / 1.09, rel=1e-3)


def test_pages_of_a_tiff_are_read_at_the_rate_asked_for(tmp_path):
    path = animation(tmp_path / "a.tif", duration=None)
    assert times_and_shades(path, fps=10) == (pytest.approx([0, 0.1, 0.2, 0.3]), list(SHADES))
    assert times_and_shades(path)[0] == pytest.approx([0, 0.04, 0.08, 0.12])


def test_pages_of_several_sizes_get_borders(tmp_path, caplog):
    large, tall = PIL.Image.fromarray(page(200, (40, 20))), PIL.Image.fromarray(page(100, (20, 30)))
    large.save(tmp_path / "a.tif", save_all=True, append_images=[tall])
    first, second = open_source(tmp_path / "a.tif")
    assert first.image.shape == second.image.shape == (30, 40, 3)
    assert "sizes are shown with borders" in caplog.text
    assert first.image[:, :, 0].max(1).tolist() == [0] * 5 + [200] * 20 + [0] * 5


def test_a_default_image_is_no_part_of_an_animated_png(tmp_path):
    path = animation(tmp_path / "a.png", default_image=True, duration=[100, 100, 100])
    assert times_and_shades(path)[1] == list(SHADES[1:])


def test_a_part_of_an_animation_can_be_read(tmp_path):
    path = animation(tmp_path / "a.webp", lossless=True)
    times, shades = times_and_shades(path, start=0.1, end=0.39)
    assert (times, shades) == (pytest.approx([0.1, 0.35]), list(SHADES[1:3]))


def test_a_damaged_animation_keeps_the_pictures_before(tmp_path, caplog):
    path = animation(tmp_path / "a.png")
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"fdAT") + 8])
    source = open_source(path)
    assert len(list(source)) in (2, 3)
    assert source.truncated
    assert "damaged" in caplog.text


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")  # Python 3.13
@pytest.mark.parametrize("suffix", ["webp", "png", "apng", "tif"])
def test_an_animation_is_written_with_its_durations_and_alpha(tmp_path, suffix):
    source = open_source(animation(tmp_path / "in.webp", alpha=120, lossless=True))
    target = tmp_path / f"out.{suffix}"
    with source, open_sink(target, like=source) as sink:
        for frame in source:
            sink.write(frame.with_image(255 - frame.image))
    del sink
    gc.collect()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["in.webp", target.name]
    frames = list(open_source(target))
    assert [int(frame.image.mean()) for frame in frames] == pytest.approx(
        [255 - shade for shade in SHADES], abs=3
    )
    assert {int(frame.alpha.min()) for frame in frames} == {120}
    if suffix != "tif":
        with PIL.Image.open(target) as written:
            told = []
            for number in range(written.n_frames):
                written.seek(number)
                written.load()
                told.append(written.info["duration"])
        assert told == DURATIONS


def test_an_animation_becomes_a_video_on_black_and_says_so(tmp_path, contents, caplog):
    source = open_source(animation(tmp_path / "in.webp", alpha=128, lossless=True))
    with source, open_sink(tmp_path / "out.mp4", like=source) as sink:
        for frame in source:
            sink.write(frame)
    times, shades = times_and_shades(tmp_path / "out.mp4")
    assert times == pytest.approx([0, 0.1, 0.35, 0.39], abs=1e-3)
    np.testing.assert_allclose(shades, [shade / 2 for shade in SHADES], atol=3)
    assert caplog.text.count("transparency is not kept in .mp4") == 1


@pytest.mark.parametrize("suffix", ["webm", "mov"])
def test_an_animation_keeps_its_alpha_in_a_video_that_can_hold_it(tmp_path, suffix, caplog):
    source = open_source(animation(tmp_path / "in.webp", alpha=128, lossless=True))
    with source, open_sink(tmp_path / f"out.{suffix}", like=source) as sink:
        for frame in source:
            sink.write(frame)
    frames = list(open_source(tmp_path / f"out.{suffix}"))
    assert [frame.alpha is not None for frame in frames] == [True] * 4
    np.testing.assert_allclose([frame.alpha.mean() for frame in frames], 128, atol=3)
    assert "transparency" not in caplog.text


def test_names_of_outputs_keep_what_can_be_written(tmp_path, write_tiled):
    animated = open_source(animation(tmp_path / "a.webp"))
    photo = open_source(write_tiled(tmp_path / "p.heic", np.zeros((200, 200, 3), np.uint8), "HEIF"))
    moving = open_source(animation(tmp_path / "b.avif"))
    names = [target_for(f"{tmp_path}/out/", source).name for source in (animated, photo, moving)]
    assert names == ["a.webp", "p.jpg", "b.mp4"]


# Numbered pictures


def test_numbered_pictures_are_a_clip_whose_gaps_stay(tmp_path, caplog):
    pattern = numbered(tmp_path / "shots", [3, 4, 5, 16, 17])
    with caplog.at_level(logging.WARNING):
        source = open_source(pattern, fps=10)
    frames = list(source)
    assert source.is_clip
    assert [frame.index for frame in frames] == [3, 4, 5, 16, 17]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.2, 1.3, 1.4])
    assert "10 numbers are missing (6 to 15)" in caplog.text


def test_a_gap_of_a_sequence_is_time_in_its_video(tmp_path):
    source = open_source(numbered(tmp_path / "shots", [1, 2, 13]), fps=10)
    with source, open_sink(tmp_path / "out.mp4", like=source) as sink:
        for frame in source:
            sink.write(frame)
    assert times_and_shades(tmp_path / "out.mp4")[0] == pytest.approx([0, 0.1, 1.2], abs=1e-3)


def test_a_folder_with_a_rate_is_a_clip_and_without_is_not(tmp_path):
    folder = numbered(tmp_path / "shots", [1, 2, 13]).parent
    assert not open_source(folder).is_clip
    assert [frame.time for frame in open_source(folder, fps=5)] == pytest.approx([0, 0.2, 0.4])


def test_pictures_of_several_sizes_fit_into_one_video(tmp_path, caplog):
    pattern = numbered(tmp_path / "shots", [9, 10], sizes=[(32, 24), (48, 20)])
    source = open_source(pattern)
    with source, open_sink(tmp_path / "out.mp4", like=source) as sink:
        for frame in source:
            sink.write(frame)
    assert open_source(tmp_path / "out.mp4").size == (48, 24)
    assert "pictures of 2 sizes; they are shown with borders in 48x24" in caplog.text


def test_a_part_of_a_numbered_sequence_can_be_read(tmp_path):
    pattern = numbered(tmp_path / "shots", [1, 2, 3, 4])
    frames = list(open_source(pattern, start=0.1, end=0.3, fps=10))
    assert [frame.index for frame in frames] == [2, 3]


def test_rates_of_ntsc_are_exact_whatever_their_rounding(tmp_path):
    PIL.Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    rates = {fps: open_source(tmp_path, fps=fps).rate for fps in (23.976, 23.98, 29.97, 59.94, 24)}
    assert rates == {
        23.976: Fraction(24000, 1001),
        23.98: Fraction(24000, 1001),
        29.97: Fraction(30000, 1001),
        59.94: Fraction(60000, 1001),
        24: Fraction(24),
    }


@pytest.mark.parametrize("fps", [23.976, 24.0, 59.94, 12.5])
def test_every_picture_of_a_clip_lasts_as_long(tmp_path, fps):
    for number in range(7):
        PIL.Image.new("RGB", (64, 64), (30 * number,) * 3).save(tmp_path / f"a_{number}.png")
    with open_source(tmp_path / "a_%d.png", fps=fps) as source:
        with open_sink(tmp_path / "out.mov", like=source) as sink:
            for frame in source:
                sink.write(frame)
        rate = source.rate
    with av.open(str(tmp_path / "out.mov")) as container:
        stream = container.streams.video[0]
        times = sorted(p.pts * stream.time_base for p in container.demux(stream) if p.size)
        assert times == [number / rate for number in range(7)]
        assert Fraction(stream.average_rate) == rate


@pytest.mark.parametrize("fps", [float("nan"), float("inf"), 0, -3, 1e9])
def test_rates_that_cannot_be_played_are_refused(tmp_path, fps):
    with pytest.raises(FacewarpError, match="can't be played"):
        open_source(numbered(tmp_path / "shots", [1]), fps=fps)


@pytest.mark.parametrize("name", ["start", "end"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_times_that_are_not_finite_are_refused(tmp_path, name, value):
    with pytest.raises(FacewarpError, match=f"{name} is {value}"):
        open_source(numbered(tmp_path / "shots", [1]), **{name: value})


def test_a_folder_that_is_written_keeps_names_and_alpha(tmp_path, write_tiled):
    folder = tmp_path / "in"
    folder.mkdir()
    PIL.Image.fromarray(page(90, alpha=77)).save(folder / "IMG_1.png")
    PIL.Image.fromarray(page(90)).save(folder / "IMG_2.jpg")
    write_tiled(folder / "IMG_2.heic", page(90, (150, 150)), "HEIF")
    source = open_source(folder)
    with source, open_sink(tmp_path / "out/", like=source) as sink:
        for frame in source:
            sink.write(frame)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["IMG_1.png", "IMG_2.heic.jpg", "IMG_2.jpg"]
    (kept,) = open_source(tmp_path / "out" / "IMG_1.png")
    assert int(kept.alpha.min()) == 77


def test_a_jpeg_of_a_transparent_picture_is_on_black_and_says_so(tmp_path, caplog):
    PIL.Image.fromarray(page(200, alpha=0)).save(tmp_path / "a.png")
    source = open_source(tmp_path / "a.png")
    with open_sink(tmp_path / "a.jpg", like=source) as sink:
        sink.write(next(iter(source)))
    assert times_and_shades(tmp_path / "a.jpg")[1] == [0]
    assert "transparency is not kept in .jpg" in caplog.text
