"""Charts and movies of hearts: svg -> volume_chart, short_axis_view -> figures, movie."""
