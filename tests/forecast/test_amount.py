"""Sums of measured and assumed parts."""

from hypothesis import given, strategies as st

from fdsl.forecast.amount import Amount, Origin, total

amounts = st.dictionaries(st.sampled_from(Origin), st.floats(0, 1e9)).map(Amount)


@given(st.lists(amounts))
def test_a_total_keeps_every_part(parts):
    whole = total(parts)
    for origin in Origin:
        expected = sum(part.parts.get(origin, 0.0) for part in parts)
        assert abs(whole.parts.get(origin, 0.0) - expected) <= 1e-6 * max(expected, 1)


def test_the_letters_are_those_of_a_hundredth_or_more():
    most = Amount.of(1000, Origin.MEASURED)
    assert most.marks == "m"
    assert (most + Amount.of(9, Origin.ASSUMED)).marks == "m"
    assert (most + Amount.of(11, Origin.ASSUMED)).marks == "ma"
    assert Amount().marks == "e"
