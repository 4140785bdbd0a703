#!/bin/sh
# size.sh WHEEL|COMMIT...: bytes that each takes when it is installed in an empty environment with all that it needs, and nothing else:
# without pip, and without bytecode, which Python writes when it first imports. PYTHON chooses the Python.
set -e
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for what in "$@"; do
  case $what in
    *.whl) source=$what ;;
    *) mkdir "$work/source" && git archive "$what" | tar -x -C "$work/source" && source=$work/source ;;
  esac
  "${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt --target "$work/site" "$source"
  echo "$what: $(find "$work/site" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%.1f MB in %d files", n / 1e6, NR }')," \
    "$(find "$work/site" -name '*.dist-info' | wc -l) packages"
  for part in "$work"/site/*; do
    find "$part" -type f -printf '%s\n' | awk -v name="${part##*/}" '{ n += $1 } END { if (n > 1e6) printf "  %-24s %6.1f MB\n", name, n / 1e6 }'
  done
  rm -rf "$work/site" "$work/source"
done
