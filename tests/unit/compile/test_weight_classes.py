"""Weight classes: few, and calm."""

from __future__ import annotations

import math

import pytest

from lbcontrol.engine.compile.weight_classes import MAX_CLASSES, STEPS, Grid, class_name, class_of, placed


def test_names_of_classes_can_be_read_again() -> None:
    """What a sub-zone says is all the memory there is."""
    assert class_of(class_name(8, 57)) == (8, 57)


@pytest.mark.parametrize("sub_zone", ["", "class", "class-8", "class-8-x", "class-8-1-1", "rack-8-1", "class-³-1"])
def test_other_sub_zones_are_no_classes(sub_zone: str) -> None:
    """Anything else in a sub-zone is not taken for a class."""
    assert class_of(sub_zone) is None


@pytest.mark.parametrize("steps", STEPS)
def test_endpoint_leaves_its_class_only_by_a_margin(steps: int) -> None:
    """Half a class outside is still inside; beyond it the weight's own class counts."""
    weight = 1000
    stands = math.floor(steps * math.log2(weight))
    assert placed(weight, steps=steps, before=None) == stands
    width = 2 ** (1 / steps)
    edge = 2 ** ((stands + 1) / steps)
    assert placed(round(edge * width**0.4), steps=steps, before=stands) == stands
    assert placed(round(edge * width**0.6), steps=steps, before=stands) == stands + 1
    low = 2 ** (stands / steps)
    assert placed(round(low / width**0.4), steps=steps, before=stands) == stands
    assert placed(round(low / width**0.6), steps=steps, before=stands) == stands - 1


def test_grid_is_the_finest_with_few_classes() -> None:
    """A narrow spread has classes 9 % wide; all weights of 32 bits still fit in 32 classes."""
    narrow, _ = Grid(()).classify([None] * 600, list(range(100, 700)))
    assert narrow == 8
    weights = [math.ceil(2 ** (half / 2)) for half in range(64)]
    wide, numbers = Grid(()).classify([None] * len(weights), weights)
    assert wide == 1
    assert len(set(numbers)) == MAX_CLASSES


def test_grid_gets_finer_only_with_room() -> None:
    """A spread that would just fit a finer grid keeps the coarser one, because a new grid dials every endpoint anew."""
    published = Grid([class_name(4, 20)])
    spread = [round(100 * 2 ** (step / 8)) for step in range(24)]
    assert published.classify([None] * 24, spread)[0] == 4
    assert published.classify([None] * 12, spread[:12])[0] == 8


def test_grid_gets_coarser_when_damping_alone_makes_too_many() -> None:
    """An endpoint that lingers in the class next door keeps that class alive, and it counts."""
    first = 80
    weights = [round(2 ** ((first + step + 0.2) / 8)) for step in range(MAX_CLASSES)]
    names = [class_name(8, first + step) for step in range(MAX_CLASSES)]
    published = Grid([class_name(8, first - 1), *names])
    assert published.classify(names, weights)[0] == 8
    assert published.classify([*names, class_name(8, first - 1)], [*weights, weights[0]])[0] == 4


def test_grid_stays_when_a_weight_leans_over_its_last_class() -> None:
    """Without damping that weight would need a class too many; the grid must not change for it."""
    first = 80
    weights = [round(2 ** ((first + step + 0.9) / 8)) for step in range(MAX_CLASSES)]
    names = [class_name(8, first + step) for step in range(MAX_CLASSES)]
    leaning = round(2 ** ((first + MAX_CLASSES + 0.3) / 8))
    steps, numbers = Grid(names).classify([*names, names[-1]], [*weights, leaning])
    assert (steps, numbers[-1]) == (8, first + MAX_CLASSES - 1)
