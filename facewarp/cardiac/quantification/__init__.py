"""Measure hearts: indices, lv_wall -> aha_segments -> strain -> normal_values."""
