"""Release models: ship, cards and tables; build the template, calibrate the detector."""
