"""rackrelay's main job, shown on the lab: `python3 -m lab.demo`. The end-to-end tests run the same steps."""
