"""Register the phases: heart_roi -> model_grid -> cycle_registration -> labels -> quality."""
