"""Every test here needs torch, the extra `elman[torch]`."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed")
