"""Cardiac cine MRI: read, register over the cycle, measure, report."""
