"""The catalog: one file, or one folder, per service. Adding a service touches nothing else."""
