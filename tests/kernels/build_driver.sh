#!/bin/sh
# build_driver.sh COMPILER PROGRAM [FLAG...]: builds driver.cpp with the kernel for the compiler's own processor;
# or another source of this folder, as in DRIVER=limits build_driver.sh ...
set -e
compiler=$1 program=$2
shift 2
tests=$(cd "$(dirname "$0")" && pwd)
kernel=$tests/../../src/native
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
case $($compiler -dumpmachine) in
  x86_64*) isas="portable avx2 avx512" define=-DELMAN_X86 ;;
  aarch64*) isas="portable neon" define=-DELMAN_ARM ;;
  *) isas=portable define= ;;
esac
flags="-std=c++17 -O3 -Wall -Wextra -Werror $(tr '\n' ' ' < "$kernel/exact_flags.txt")"
flags="$flags -pthread -iquote $kernel $*"
unknown=
case $($compiler --version) in *clang*) unknown=-Wno-unknown-warning-option ;; esac
running=
for isa in $isas; do
  case $isa in
    avx2) machine="-mavx2 -mfma" ;;
    # GCC 12 warns of its own AVX-512 header; Clang does not know one of the options that stop it.
    avx512) machine="-mavx2 -mfma -mavx512f -mavx512dq -Wno-maybe-uninitialized -Wno-uninitialized $unknown" ;;
    *) machine= ;;
  esac
  upper=$(echo "$isa" | tr a-z A-Z)
  $compiler $flags $machine -DELMAN_ISA_NAME="$isa" -D"ELMAN_$upper" -c "$kernel/float/isa.cpp" -o "$objects/$isa.o" &
  running="$running $!"
done
for source in float/dispatch team/pool team/wait team/cores team/scratch team/environment; do
  $compiler $flags $define -c "$kernel/$source.cpp" -o "$objects/$(basename $source).o"
done
$compiler $flags -c "$tests/${DRIVER:-driver}.cpp" -o "$objects/driver.o"
for job in $running; do wait "$job"; done
$compiler $flags "$objects"/*.o -o "$program"
