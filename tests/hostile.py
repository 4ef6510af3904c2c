"""JSON as nobody should send it, and as almost everybody does: strategies of hypothesis."""

from typing import Any

from hypothesis import strategies as st

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """The value with one thing in it that is another, is missing, or is too much."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(sorted(value)))
        others = {key: inner for key, inner in value.items() if key != name}
        return others if draw(st.integers(0, 4)) == 0 else {**value, name: draw(changed(value[name]))}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(changed(value[at])), *value[at + draw(st.integers(0, 1)) :]]
    return draw(values)
