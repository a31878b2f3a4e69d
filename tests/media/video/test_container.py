from fractions import Fraction

from facewarp.media.video.container import FrameClock


def ticks(stamps, base=Fraction(1, 1000), rate=Fraction(25)):
    clock = FrameClock(base, rate)
    return [clock.ticks(pts, dts) for pts, dts in stamps]


def test_good_timestamps_stay():
    assert ticks([(0, None), (40, 0), (95, 40)]) == [0, 40, 95]


def test_missing_ones_follow_on():
    assert ticks([(None, None), (None, None), (80, None), (None, None)]) == [0, 40, 80, 120]


def test_repeated_ones_are_told_apart():
    assert ticks([(0, 0), (40, 40), (40, 40), (80, 80)]) == [0, 40, 41, 80]


def test_those_that_run_back_give_way_to_the_decoding_times():
    stamps = [(40, 40), (120, 80), (80, 120), (160, 160), (120, 200)]
    assert ticks(stamps) == [40, 120, 121, 160, 200]


def test_a_clock_that_is_set_back_goes_on():
    stamps = [(90_000, 90_000), (90_040, 90_040), (0, 0), (40, 40), (80, 80)]
    assert ticks(stamps) == [90_000, 90_040, 90_080, 90_120, 90_160]


def test_pictures_that_are_squeezed_are_counted():
    clock = FrameClock(Fraction(1, 1000), Fraction(25))
    for stamp in (400, 440, 440, 200, 240, 480):
        clock.ticks(stamp, None)
    assert clock.squeezed == 2


def test_pictures_before_the_first_timestamp_begin_where_they_are_said_to():
    clock = FrameClock(Fraction(1, 1000), Fraction(25), first=-80)
    assert [clock.ticks(pts, None) for pts in (None, None, 0, 40)] == [-80, -40, 0, 40]
