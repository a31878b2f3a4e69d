"""Analyze many patients: discovery, job and runner; then table and page."""
