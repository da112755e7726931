"""The numbers: Koshel against the per-request design, as ratios in one run. `python -m bench`."""
