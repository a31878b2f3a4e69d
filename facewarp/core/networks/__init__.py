"""The networks: layers -> part_net -> reg_net -> guided_registration."""
