"""Figures of rackrelay, as ratios where there is something to compare with: `python -m tests.bench`.

Nothing here is a test: a figure depends on the machine and on what else it does. Each bench is a module with a function
that takes a Workshop and returns Results; `registry.py` lists them.
"""
