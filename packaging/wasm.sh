#!/bin/sh
# wasm.sh FOLDER OBJECTS COMPILER...: libelman for browsers and Node, with SIMD and without threads, exceptions or a system:
# FOLDER/elman.wasm for quantised models, which is small, and FOLDER/elman-floats.wasm for all. COMPILER is what compiles for
# wasm32-wasi, such as: clang++ --target=wasm32-wasi
set -e
export LC_ALL=C  # the order in which objects are linked
out=$(realpath "$1") objects=$(realpath -m "$2")
shift 2
cd "$(dirname "$0")/../src/native"
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' ../elman/__init__.py)
flags="-std=c++17 -g0 -DNDEBUG -fno-exceptions -fno-rtti -fvisibility=hidden -msimd128 -DELMAN_NO_THREADS -DELMAN_INTEGER_WASM"
flags="$flags $(tr '\n' ' ' < exact_flags.txt) -fno-slp-vectorize"
compiler=$1
shift

# build NAME OPTION PARTS HIDDEN COMPILER'S ARGUMENTS: a module of the common parts and PARTS, without the functions HIDDEN.
build() {
  name=$1 options=$2 parts=$3 hidden=$4
  shift 4
  mkdir -p "$objects/$name" && rm -f "$objects/$name"/*
  "$compiler" "$@" $flags $options -O3 -c integer/isa.cpp -DELMAN_ISA_NAME=wasm -DELMAN_WASM -o "$objects/$name/integer.o"
  "$compiler" "$@" $flags $options -Os -c float/isa.cpp -DELMAN_ISA_NAME=portable -DELMAN_PORTABLE -o "$objects/$name/float.o"
  for part in float/dispatch integer/dispatch integer/packed team/scratch team/environment team/alone c/elman c/model c/container $parts; do
    "$compiler" "$@" $flags $options -O2 -c $part.cpp -DELMAN_VERSION="\"$version\"" -o "$objects/$name/$(echo $part | tr / _).o"
  done
  names=$(grep -o 'elman_[a-z_]*(' c/elman.h | tr -d '(' | sort -u | grep -v -x "$hidden")
  "$compiler" "$@" -O2 -s -mexec-model=reactor -fno-exceptions "$objects/$name"/*.o -o "$out/$name.wasm" \
    $(for each in malloc free $names; do echo "-Wl,--export=$each"; done)
  chmod 644 "$out/$name.wasm"
}

layers='elman_forward\|elman_backward\|elman_cross_entropy'
build elman -DELMAN_INTEGERS_ONLY "" "$layers" "$@"
build elman-floats -DELMAN_FLOATS float/step "none" "$@"
