#!/bin/sh
# try_wheels.sh FOLDER PYTHON...: what a user gets. Each Python, in an empty environment and without a compiler, installs the wheel of the
# folder that it would choose, and tests itself; results/wheels.csv keeps what that showed, and AUDITED, which looked the wheels over.
set -e
wheels=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in "$@"; do
  "$python" -m venv "$work/venv"
  (
    cd "$work"
    PATH=$work/venv/bin  # no compiler, nor anything else
    pip="python -m pip --quiet --disable-pip-version-check"
    $pip download --no-deps --no-index --find-links "$wheels" --dest chosen elman
    $pip install --only-binary :all: chosen/*.whl
    echo "== $(echo chosen/*.whl)"
    elman self-test --json > told
    python -c 'import elman.kernels._cpu'
    case $(echo chosen/*.whl) in *abi3*) audited=${AUDITED:+abi3audit, $AUDITED} ;; *) audited=$AUDITED ;; esac
    python "$here/listed.py" chosen/*.whl "$audited" < told
  )
  rm -rf "$work/venv" "$work/chosen"
done
