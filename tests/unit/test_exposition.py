"""The text that Prometheus reads."""

import pytest

from rackrelay.exposition import Family, Histogram, Sample, render_families


def test_family_with_and_without_labels() -> None:
    served = Family("served_total", "counter", "Served.", (Sample(3, {"a": "1", "b": "2"}), Sample(0.25)))
    assert render_families([served]).splitlines() == [
        "# HELP served_total Served.",
        "# TYPE served_total counter",
        'served_total{a="1",b="2"} 3',
        "served_total 0.25",
    ]


def test_family_without_a_sample_is_left_out() -> None:
    assert render_families([Family("served_total", "counter", "Served.")]) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [('say "x"', r"say \"x\""), ("C:\\DIR", r"C:\\DIR"), ("two\nlines", r"two\nlines"), ("größe", "größe")],
)
def test_values_of_labels_are_quoted(value: str, text: str) -> None:
    line = render_families([Family("x", "gauge", "X.", (Sample(1, {"a": value}),))]).splitlines()[-1]
    assert line == f'x{{a="{text}"}} 1'


def test_help_stays_on_its_line() -> None:
    text = render_families([Family("x", "gauge", "a\\b\nc", (Sample(1),))])
    assert text == "# HELP x a\\\\b\\nc\n# TYPE x gauge\nx 1\n"


def test_serials_are_written_in_full() -> None:
    assert render_families([Family("x", "gauge", "X.", (Sample(4294967295),))]).endswith("x 4294967295\n")


def test_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram((0.125, 1.0))
    for value in (0.0625, 0.125, 0.5, 7.0):
        histogram.observe(value)
    lines = render_families([Family("took", "histogram", "Took.", histogram.samples({"a": "b"}))]).splitlines()[2:]
    assert lines == [
        'took_bucket{a="b",le="0.125"} 2',
        'took_bucket{a="b",le="1"} 3',
        'took_bucket{a="b",le="+Inf"} 4',
        'took_sum{a="b"} 7.6875',
        'took_count{a="b"} 4',
    ]
