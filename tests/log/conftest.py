"""Failing assertions of the shared suite show their values, as those in test modules do."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.log.contract")
