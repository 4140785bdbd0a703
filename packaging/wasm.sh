#!/bin/sh
# wasm.sh FOLDER OBJECTS COMPILER...: libelman for browsers and Node, with SIMD and without threads, exceptions or a system, compressed:
# FOLDER/elman.wasm.gz for quantised models, which is small; elman-subwords.wasm.gz, which codes messages with those of subwords too;
# elman-floats.wasm.gz for all, and for training; and the same as elman-relaxed.wasm.gz, many times as fast, for where relaxed SIMD
# fuses a product and a sum: who loads it has to see that first (web/relaxed.js). COMPILER is what compiles
# for wasm32-wasi, such as: clang++ --target=wasm32-wasi
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

# objects NAME OPTION PARTS COMPILER'S ARGUMENTS: the common parts, and PARTS, but for the floats of an instruction set.
objects() {
  name=$1 options=$2 parts=$3
  shift 3
  mkdir -p "$objects/$name" && rm -f "$objects/$name"/*
  "$compiler" "$@" $flags $options -O3 -c integer/isa.cpp -DELMAN_ISA_NAME=wasm -DELMAN_WASM -o "$objects/$name/integer.o"
  for part in float/dispatch integer/dispatch integer/packed team/scratch team/environment team/alone c/elman c/model c/container c/codec $parts; do
    "$compiler" "$@" $flags $options -O2 -c $part.cpp -DELMAN_VERSION="\"$version\"" -o "$objects/$name/$(echo $part | tr / _).o"
  done
  for part in block marginals messages past tables tokens; do
    "$compiler" "$@" $flags $options -Os -c coding/$part.cpp -o "$objects/$name/coding_$part.o"
  done
}

# module NAME OBJECTS OPTIONS HIDDEN COMPILER'S ARGUMENTS: a module of these objects and the floats compiled with OPTIONS, without the
# functions HIDDEN.
module() {
  name=$1 parts=$2 options=$3 hidden=$4
  shift 4
  "$compiler" "$@" $flags $options -c float/isa.cpp -DELMAN_ISA_NAME=portable -DELMAN_PORTABLE -o "$objects/$name.o"
  names=$(grep -o 'elman_[a-z_]*(' c/elman.h | tr -d '(' | sort -u | grep -v -x "$hidden")
  "$compiler" "$@" -O2 -s -mexec-model=reactor -fno-exceptions "$objects/$parts"/*.o "$objects/$name.o" -o "$out/$name.wasm" \
    $(for each in malloc free $names; do echo "-Wl,--export=$each"; done)
  gzip -9nf "$out/$name.wasm" && chmod 644 "$out/$name.wasm.gz"
}

layers='elman_forward\|elman_backward\|elman_cross_entropy\|elman_train.*\|elman_initialise\|elman_random'
objects integers -DELMAN_INTEGERS_ONLY "" "$@"
module elman-subwords integers "-Os -DELMAN_INTEGERS_ONLY" "$layers" "$@"
mkdir -p "$objects/small" && cp "$objects"/integers/*.o "$objects/small"
for part in elman model container codec; do
  "$compiler" "$@" $flags -DELMAN_INTEGERS_ONLY -DELMAN_NO_SUBWORDS -Os -c c/$part.cpp -DELMAN_VERSION="\"$version\"" -o "$objects/small/c_$part.o"
done
module elman small "-Os -DELMAN_INTEGERS_ONLY" "$layers" "$@"
objects all -DELMAN_FLOATS "float/model float/step c/train c/initial" "$@"
module elman-floats all "-Os -DELMAN_FLOATS" "none" "$@"
module elman-relaxed all "-O3 -DELMAN_FLOATS -mrelaxed-simd" "none" "$@"
