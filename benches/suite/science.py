"""What data science pickles: a data frame, a fitted forest.

There is no preset for these libraries here: every name that the rows need stands in a list, as a
user without a preset would write it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from picklist import Allow

from .buffers import array_names, same_array
from .row import count, module, row


def frame_names() -> Sequence[Any]:
    """Return what the data frame below needs, in protocols 4 and 5."""
    pandas = module("pandas")
    blocks = module("pandas.core.internals.managers")
    return [
        *array_names("i8", "f8", "O", "M8[ns]", "?"),
        Allow(pandas.DataFrame, new="()", call="()", state="setstate"),
        Allow(blocks.BlockManager, call=True),
        Allow("pandas._libs.internals._unpickle_block", call="(any, any, int)"),
        Allow("pandas.core.indexes.base._new_Index", call="(type, dict)"),
        Allow(pandas.Index),
        Allow(pandas.RangeIndex),
        Allow(pandas.arrays.DatetimeArray, state="setstate"),
        Allow(
            "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked",
            call="(type, int, any)",
            state="setstate",
        ),
    ]


def same_frame(left: Any, right: Any) -> bool:
    """Compare two data frames: values, types and both indexes."""
    return bool(left.equals(right)) and bool((left.dtypes == right.dtypes).all())


@row(
    "pandas DataFrame",
    protocols=(5, 4),
    allow=frame_names,
    equal=same_frame,
    needs=("numpy", "pandas"),
)
def data_frame(size: float) -> Any:
    """100,000 rows of ints, floats, bools, times and text."""
    numpy, pandas = module("numpy"), module("pandas")
    n = count(size, 100_000)
    generator = numpy.random.default_rng(19)
    columns = {
        "ident": numpy.arange(n),
        "amount": generator.random(n),
        "paid": generator.random(n) < 0.5,
        "when": pandas.date_range("2020-01-01", periods=n, freq="min"),
        "customer": numpy.array([f"customer {i % 5_000}" for i in range(n)], dtype=object),
    }
    frame = pandas.DataFrame({name: pandas.Series(data) for name, data in columns.items()})
    frame["customer"] = pandas.Series(columns["customer"], dtype=object)
    frame.columns = pandas.Index(list(columns), dtype=object)
    return frame


def forest_names() -> Sequence[Any]:
    """Return what the forest below needs, in protocols 4 and 5."""
    forest, classes = module("sklearn.ensemble._forest"), module("sklearn.tree._classes")
    tree = module("sklearn.tree._tree")
    node = tree.NODE_DTYPE.str if hasattr(tree, "NODE_DTYPE") else "V64"
    return [
        *array_names("i8", "f8", "u1", node),
        Allow("numpy._core.multiarray.scalar", call="(instance, bytes)"),
        Allow(forest.RandomForestClassifier, new="()", state="setstate"),
        Allow(classes.DecisionTreeClassifier, new="()", state="setstate"),
        Allow(tree.Tree, call="(int, any, int)", state="setstate"),
    ]


def same_forest(left: Any, right: Any) -> bool:
    """Compare two forests node by node."""
    trees = [(a.tree_, b.tree_) for a, b in zip(left.estimators_, right.estimators_, strict=True)]
    return left.get_params().keys() == right.get_params().keys() and all(
        same_array(getattr(a, name), getattr(b, name))
        for a, b in trees
        for name in ("children_left", "children_right", "feature", "threshold", "value")
    )


@row(
    "sklearn forest",
    protocols=(5, 4),
    allow=forest_names,
    equal=same_forest,
    needs=("numpy", "sklearn"),
)
def forest(size: float) -> Any:
    """A hundred trees, fitted on a thousand samples."""
    numpy, ensemble = module("numpy"), module("sklearn.ensemble")
    generator = numpy.random.default_rng(20)
    samples = generator.random((1_000, 20))
    labels = (samples[:, 0] + samples[:, 1] * generator.random(1_000) > 1).astype(int)
    trees = ensemble.RandomForestClassifier(count(size, 100), random_state=0, n_jobs=1)
    return trees.fit(samples, labels)
