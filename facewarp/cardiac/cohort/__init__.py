"""Analyze many patients: discovery, job, worker_pool or ray_cluster, runner; then table, page."""
