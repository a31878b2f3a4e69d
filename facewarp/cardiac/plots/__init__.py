"""Charts and films of hearts: svg -> volume_chart, short_axis_view -> figures, movie."""
