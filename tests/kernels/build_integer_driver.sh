#!/bin/sh
# build_integer_driver.sh COMPILER PROGRAM [--emulated] [FLAG...]: builds integer_driver.cpp with the integer kernels for the
# compiler's own processor; --emulated: those for x86 instructions that it may not have, in plain C (needs libsimde-dev).
set -e
compiler=$1 program=$2
shift 2
tests=$(cd "$(dirname "$0")" && pwd)
kernel=$tests/../../src/native
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
emulated=
if [ "$1" = --emulated ]; then
  emulated="-I$tests/emulated -Wno-psabi"
  shift
fi
case $($compiler -dumpmachine) in
  x86_64*) isas="portable avx2 avxvnni avx512vnni" ;;
  aarch64*) isas="portable neon neondot" ;;
  *) isas=portable ;;
esac
optimised=-O2
[ -z "$emulated" ] || isas="avxvnni avx512vnni" optimised=-O0  # GCC takes minutes to optimise the plain C, and gains nothing
# GCC 12 warns of its own AVX-512 header; Clang does not know one of the options that stop it.
flags="-std=c++17 $optimised -Wall -Wextra -Wno-maybe-uninitialized -Wno-uninitialized -Wno-unknown-warning-option $(tr '\n' ' ' < "$kernel/exact_flags.txt")"
flags="$flags -pthread -I$kernel $*"
running= tables=
for isa in $isas; do
  case $isa in
    avx2) machine=-mavx2 ;;
    avxvnni) machine="-mavx2 -mavxvnni" ;;
    avx512vnni) machine="-mavx2 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni" ;;
    neondot) machine=-march=armv8.2-a+dotprod ;;
    *) machine= ;;
  esac
  [ -z "$emulated" ] || machine=$emulated
  upper=$(echo "$isa" | tr a-z A-Z)
  $compiler $flags $machine -DELMAN_ISA_NAME="$isa" -D"ELMAN_$upper" -c "$kernel/integer/isa.cpp" -o "$objects/$isa.o" &
  running="$running $!"
  tables="$tables ELMAN_TABLE($isa)"
done
for source in team/pool team/wait team/cores team/scratch team/environment integer/packed; do  # the pool, however many files it is
  [ ! -e "$kernel/$source.cpp" ] || $compiler $flags -c "$kernel/$source.cpp" -o "$objects/$(basename $source).o"
done
$compiler $flags "-DELMAN_TABLES=$tables" -c "$tests/integer_driver.cpp" -o "$objects/driver.o"
for job in $running; do wait "$job"; done
$compiler $flags "$objects"/*.o -o "$program"
