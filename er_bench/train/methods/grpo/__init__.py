"""Group relative policy optimisation: tasks teach through their judge, on TRL's trainer."""
