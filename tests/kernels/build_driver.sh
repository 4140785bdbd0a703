#!/bin/sh
# build_driver.sh COMPILER PROGRAM [FLAG...]: builds driver.cpp with the kernel for the compiler's own processor;
# or another source of this folder, as in DRIVER=limits build_driver.sh ... TEAM_FLAGS are for the threads alone. Objects
# are left in the folder OBJECTS, if it is set, and taken from there: for several drivers of the same compiler and flags.
set -e
compiler=$1 program=$2
shift 2
tests=$(cd "$(dirname "$0")" && pwd)
kernel=$tests/../../src/native
objects=${OBJECTS:-$(mktemp -d)}
[ -n "$OBJECTS" ] || trap 'rm -rf "$objects"' EXIT
case $($compiler -dumpmachine) in
  x86_64*) isas="portable avx2 avx512" define=-DELMAN_X86 ;;
  aarch64*) isas="portable neon" define=-DELMAN_ARM ;;
  *) isas=portable define= ;;
esac
flags="-std=c++17 -O3 -Wall -Wextra -Werror $(tr '\n' ' ' < "$kernel/exact_flags.txt")"
flags="$flags -pthread -iquote $kernel $*"
unknown=
case $($compiler --version) in *clang*) unknown=-Wno-unknown-warning-option ;; esac
# compile SOURCE [FLAG...]: in the background; its object joins those that are linked.
linked= running=
compile() {
  source=$1
  shift
  object=$objects/$(echo "$compiler $flags $source $*" | cksum | tr -d " ").o
  linked="$linked $object"
  [ -e "$object" ] || { $compiler $flags "$@" -c "$source" -o "$object.new" && mv "$object.new" "$object"; } &
  running="$running $!"
}
for isa in $isas; do
  case $isa in
    avx2) machine="-mavx2 -mfma" ;;
    # GCC 12 warns of its own AVX-512 header; Clang does not know one of the options that stop it.
    avx512) machine="-mavx2 -mfma -mavx512f -mavx512dq -Wno-maybe-uninitialized -Wno-uninitialized $unknown" ;;
    *) machine= ;;
  esac
  compile "$kernel/float/isa.cpp" $machine -DELMAN_ISA_NAME="$isa" -D"ELMAN_$(echo "$isa" | tr a-z A-Z)"
done
compile "$kernel/float/dispatch.cpp" $define
for source in pool wait cores scratch environment; do
  compile "$kernel/team/$source.cpp" $TEAM_FLAGS
done
compile "$tests/${DRIVER:-driver}.cpp"
for job in $running; do wait "$job"; done
$compiler $flags $linked -o "$program"
