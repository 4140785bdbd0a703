"""The typist of libelman, called from Python: for measurements and tests."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_POINTERS = ("elman_open", "elman_typist_new", "elman_typist_copy")


class Settings(ctypes.Structure):
    _fields_ = (("floor", ctypes.c_double), ("width", ctypes.c_int32), ("least", ctypes.c_double))


class Library:
    """A shared library at `path`."""

    def __init__(self, path: Path) -> None:
        self.calls = ctypes.CDLL(str(path))
        for name in _POINTERS:
            getattr(self.calls, name).restype = ctypes.c_void_p
        self.calls.elman_error.restype = ctypes.c_char_p

    def checked(self, failed: bool) -> None:
        """Raises ValueError with the library's reason."""
        if failed:
            raise ValueError(self.calls.elman_error().decode())

    def open(self, container: bytes) -> ctypes.c_void_p:
        """A model, which is never closed here."""
        model = self.calls.elman_open(container, ctypes.c_int64(len(container)))
        self.checked(not model)
        return ctypes.c_void_p(model)


class LibraryTypist:
    """One typist, freed with this object.

    Args:
        width, least: as in `elman_typing`; a width of 0 follows all ways.
    """

    def __init__(
        self, library: Library, model: ctypes.c_void_p, symbols: Sequence[str], floor: float, width: int, least: float
    ) -> None:
        self.library, self.count = library, len(symbols)
        array = (ctypes.c_char_p * len(symbols))(*[symbol.encode() for symbol in symbols])
        how = Settings(floor, width, least)
        made = library.calls.elman_typist_new(model, array, ctypes.c_int32(len(symbols)), ctypes.byref(how))
        library.checked(not made)
        self.handle = ctypes.c_void_p(made)
        self._p = np.empty(self.count)
        self._to = self._p.ctypes.data_as(ctypes.c_void_p)

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            self.library.calls.elman_typist_free(self.handle)

    def copy(self) -> LibraryTypist:
        made = LibraryTypist.__new__(LibraryTypist)
        made.library, made.count = self.library, self.count
        made.handle = ctypes.c_void_p(self.library.calls.elman_typist_copy(self.handle))
        made._p = np.empty(self.count)
        made._to = made._p.ctypes.data_as(ctypes.c_void_p)
        return made

    def prime(self, ngrams: bytes) -> None:
        size = ctypes.c_int64(len(ngrams))
        self.library.checked(self.library.calls.elman_typist_prime(self.handle, ngrams, size))

    def enter(self, place: int) -> None:
        self.library.checked(self.library.calls.elman_typist_enter(self.handle, ctypes.c_int32(place)))

    def read(self, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        self.library.checked(self.library.calls.elman_typist_read(self.handle, data, ctypes.c_int64(len(data))))

    def learn(self, place: int) -> None:
        self.library.checked(self.library.calls.elman_typist_learn(self.handle, ctypes.c_int32(place)))

    def forget(self) -> None:
        self.library.checked(self.library.calls.elman_typist_forget(self.handle))

    def probabilities(self) -> np.ndarray:
        """float64 (A,), the same array each time."""
        self.library.checked(self.library.calls.elman_typist_probabilities(self.handle, self._to))
        return self._p

    def frequencies(self, total: int) -> list[int]:
        to = (ctypes.c_uint32 * self.count)()
        self.library.checked(
            self.library.calls.elman_typist_frequencies(self.handle, ctypes.c_uint32(total), ctypes.byref(to))
        )
        return list(to)
