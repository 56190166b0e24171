"""Run notebooks: one, or many with different parameters, locally or on a Dask cluster."""
