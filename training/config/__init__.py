"""Training settings: train_config -> presets, paper_variants -> overrides."""
