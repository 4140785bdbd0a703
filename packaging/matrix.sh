#!/bin/sh
# matrix.sh [NAME]...: the core's tests in other environments than `make test`'s: the lowest and the highest NumPy with each Python that is
# installed here, without the native kernel, and with a home that cannot be written. No extras are installed. Names: lowest, highest, pure, readonly.
# numpy, which is not among the four, takes two minutes: the golden results with every NumPy that this Python installs.
# WHEELS names a folder with wheels to take, such as dist after `make wheel`; without it they are built, one for all of 3.12 and later.
set -e
cd "$(dirname "$0")/.."
work=$(mktemp -d)
wheels=${WHEELS:-$work/wheels}
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
tests="pytest pytest-xdist safetensors"
[ $# -gt 0 ] || set -- lowest highest pure readonly

wheel() {  # wheel PYTHON: the path of the wheel that it takes
  tag=$("$1" -c 'import sys; print("abi3" if sys.version_info >= (3, 12) else "cp311")')
  ls "$wheels"/*"$tag"-linux*.whl 2> /dev/null || {
    "$1" -m pip wheel --quiet --no-deps --wheel-dir "$wheels" . >&2
    ls "$wheels"/*"$tag"*.whl
  }
}

environment() {  # environment NAME PYTHON PACKAGE REQUIREMENT...: a venv with the package and what its tests need
  name=$1 python=$2
  shift 2
  "$python" -m venv "$work/$name"
  "$work/$name/bin/python" -m pip install --quiet --no-compile "$@" $tests
  "$work/$name/bin/elman" self-test
}

check() {  # check NAME [pytest argument]...: the tests, away from the checkout's sources
  name=$1
  shift
  echo "== $name: $("$work/$name/bin/python" -c 'import numpy, sys; print("Python", sys.version.split()[0], "NumPy", numpy.__version__)')"
  "$work/$name/bin/python" -m pytest -q -n 2 --dist loadfile -m "not slow" --ignore tests/torch --ignore tests/docs "$@"
}

pythons=
for python in python3.11 python3.12 python3.13 python3.14; do
  "$python" -c '' 2>/dev/null && pythons="${pythons:+$pythons }$python"
done
for kind in "$@"; do
  case $kind in
    lowest)  # each library at the lowest version that pyproject.toml allows
      lowest=$(python3 -c 'import re, tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]
print(*[re.sub(">=([0-9.]+).*", r"==\1", d) for d in p["dependencies"]])')
      environment lowest "${pythons%% *}" "$(wheel "${pythons%% *}")" $lowest
      check lowest ;;
    highest)
      for python in $pythons; do
        environment "highest-$python" "$python" "$(wheel "$python")"
        check "highest-$python"
      done ;;
    numpy)
      for series in 1.26 2.0 2.1 2.2 2.3 2.4 2.5; do
        python3 -m venv "$work/numpy-$series"
        if "$work/numpy-$series/bin/python" -m pip install --quiet --no-compile "numpy==$series.*" "$(wheel python3)" 2> "$work/why"; then
          "$work/numpy-$series/bin/elman" self-test
        else
          echo "== NumPy $series does not install: $(tail -n 1 "$work/why")"
        fi
      done ;;
    pure)
      CXX=/nonexistent environment pure python3 .
      check pure --ignore tests/kernels ;;
    readonly)
      environment readonly python3 "$(wheel python3)"
      mkdir "$work/home" && chmod 555 "$work/home"
      HOME=$work/home XDG_CACHE_HOME=$work/home/cache check readonly ;;
  esac
done
