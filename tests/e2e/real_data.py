"""The real records that tests play, where they are: not part of the project."""

import os
import pathlib
import sys

import pytest

from stack import TREE

sys.path.insert(0, str(TREE / "tests" / "real"))

import hotels  # noqa: E402, F401
import to_avro  # noqa: E402, F401
import uci  # noqa: E402, F401

DIRECTORY = pathlib.Path(os.environ.get("SESAME_DATA", TREE.parent / "shared" / "data"))


def data_file(name):
    path = DIRECTORY / name
    if not path.exists():
        pytest.skip(f"{path} is not there; SESAME_DATA names another directory with the data")
    return path


def auc(pairs):
    """Of (score, bad) pairs: how often a good one's score is higher than a bad one's, by ranks."""
    ordered = sorted(pairs)
    rank_sum, bads, at = 0.0, 0, 0
    while at < len(ordered):
        end = at
        while end < len(ordered) and ordered[end][0] == ordered[at][0]:
            end += 1
        tied = sum(bad for _, bad in ordered[at:end])
        rank_sum += tied * (at + 1 + end) / 2  # the mean rank of those with the same score
        bads += tied
        at = end
    goods = len(ordered) - bads
    return 1 - (rank_sum - bads * (bads + 1) / 2) / (bads * goods)
